"""Target values, read as the server reads them."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

import pytest

from agent.postgres.installation import Installation
from agent.zones import find_zone
from parsers.errors import ParseError
from parsers.timestamps.reading import parse_timestamp
from rules.model.goal import Goal, WrittenTime, has_zone, read_goal, read_time
from rules.model.target import Target
from tests.fix_postgres import NewCluster

TIMES = [
    "2025-07-08 08:00:00",
    "2025-07-08T08:00:00Z",
    "2025-07-08 08:00:00.123456+02",
    "2025-07-08 08:00:00.1234567-03:30",
    "2025-07-08 08:00+0530",
    "2025-07-08",
    "2025-07-08 24:00:00",
    "2025-12-31 23:59:60 UTC",
    "2025-10-26 02:30:00",  # comes twice in Madrid
    "2025-03-30 02:30:00",  # never comes there
    "2025-03-30 02:30:00 Europe/Madrid",
    "2025-07-08 8:05:00 America/St_Johns",
    "1999-12-31 23:59:59.9+00",
    *(f"2025-07-08 08:00 {name}" for name in ("WET", "CET", "MET", "EET", "EST", "MST", "cet")),
]
_AS_TIMESTAMPTZ = (
    "SELECT (extract(epoch FROM %s::timestamptz) * 1000000)::numeric::bigint - 946684800000000"
)


def test_times_are_those_of_the_server(pg: Installation, new_cluster: NewCluster) -> None:
    cluster = new_cluster(pg, archive=False)
    with cluster.connect() as connection:
        for zone in ("UTC", "Europe/Madrid", "America/St_Johns"):
            connection.execute("SELECT set_config('TimeZone', %s, false)", [zone])
            for text in TIMES:
                row = connection.execute(_AS_TIMESTAMPTZ, [text]).fetchone()
                assert row is not None
                assert read_time(text, ZoneInfo(zone), find_zone) == row[0], (zone, text)


@pytest.mark.parametrize(
    "text",
    ["", "now", "tomorrow", "infinity", "2025-13-01", "2025-02-30", "2025-07-08 25:00",
     "8 Julio 2025", "2025-07-08 08:61",
     "2025-07-08 08:00 Nowhere/Land", "2025-07-08 08:00:00+99:99:99"],
)  # fmt: skip
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ParseError, match="not a time"):
        read_time(text, ZoneInfo("UTC"))


def test_a_time_says_whether_it_has_a_zone() -> None:
    assert has_zone("2025-07-08 08:00:00+00")
    assert has_zone("2025-07-08T08:00:00Z")
    assert not has_zone("2025-07-08 08:00:00")


@pytest.mark.parametrize(
    ("typed", "number"),
    [("732", 732), ("0x1F", 31), ("010", 8), ("0", 0), ("4294968028", 732), ("12884902620", 732)],
)
def test_a_transaction_id_is_read_as_strtoul_does_and_cut_to_32_bits(
    typed: str, number: int
) -> None:
    assert read_goal(Target(type="xid", value=typed)).xid == number


@pytest.mark.parametrize("typed", ["", "abc", "-1", "12x", "0x", "1 2", "09", str(1 << 64)])
def test_what_the_server_would_read_as_another_number_is_refused(typed: str) -> None:
    with pytest.raises(ParseError, match=re.escape(f"not a transaction id: {typed!r}")):
        read_goal(Target(type="xid", value=typed))


def test_a_timeline_as_it_stands_in_a_file_name_is_octal_or_nothing() -> None:
    assert read_goal(Target(timeline="010")).timeline == 8
    assert read_goal(Target(timeline="0x1A")).timeline == 26
    assert read_goal(Target(timeline="current")).timeline == "current"
    for typed in ("0000000A", str(1 << 32)):
        with pytest.raises(ParseError):
            read_goal(Target(timeline=typed))


def test_a_name_has_at_most_63_bytes() -> None:
    assert read_goal(Target(type="name", value="ñ" * 31)).name == "ñ" * 31
    with pytest.raises(ParseError, match="not 64"):
        read_goal(Target(type="name", value="ñ" * 32))


def test_a_goal_keeps_what_it_was_asked() -> None:
    target = Target(type="lsn", value="0/3000060", inclusive=False, action="pause", timeline="2")
    assert read_goal(target) == Goal(
        type="lsn", lsn=0x3000060, inclusive=False, action="pause", timeline=2
    )


def test_a_time_without_a_zone_waits_for_the_servers() -> None:
    target = Target(type="time", value="2025-07-08 08:00:00.25")
    waits = read_goal(target, zone=None)
    assert waits.time_us is None and waits.zoneless is not None
    for zone in ("UTC", "Asia/Tokyo"):
        assert waits.in_zone(ZoneInfo(zone)) == read_goal(target, zone=ZoneInfo(zone)), zone
    named = Target(type="time", value="2025-07-08 08:00:00+02")
    assert read_goal(named, zone=None) == read_goal(named)
    assert read_goal(Target(), zone=None).in_zone(ZoneInfo("UTC")) == Goal()


def test_an_abbreviation_that_the_servers_zone_does_not_know_is_said_once() -> None:
    written = WrittenTime(
        text="2026-01-02 03:04:05 XYZ", read=parse_timestamp("2026-01-02 03:04:05"), zone=None,
        own="XYZ",
    )  # fmt: skip
    with pytest.raises(ParseError) as raised:
        written.in_zone(ZoneInfo("UTC"))
    assert str(raised.value) == "not a time: '2026-01-02 03:04:05 XYZ' (unknown zone XYZ)"
