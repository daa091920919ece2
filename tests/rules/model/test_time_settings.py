"""Times as servers of each major take them in a setting, and as people type them."""

from __future__ import annotations

import contextlib
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from agent.postgres.installation import Installation
from agent.zones import find_zone
from parsers.errors import ParseError
from parsers.wal.facts import instant
from rules.model.goal import has_zone, is_taken_as_setting, read_goal, read_time
from rules.model.target import Target
from tests.server_times import MAJORS, TABLE, TEXTS, takes

ANSWERS = json.loads(TABLE.read_text(encoding="utf-8"))
# Taken by servers, and not read here: no target, a day that changes, a summer that a zone of
# POSIX's own kind has.
NOT_READ = ("", "today 12:00", "2026-11-28 14:29:59 FOO-3BAR")
AT = datetime(2026, 11, 28, 14, 29, 59, tzinfo=UTC)


def test_the_table_is_of_these_texts() -> None:
    assert set(ANSWERS) == set(TEXTS) and len(ANSWERS) >= 200
    assert all(len(answers) == len(MAJORS) for answers in ANSWERS.values())


@pytest.mark.parametrize("major", MAJORS)
def test_a_setting_is_taken_where_a_server_takes_it(major: int) -> None:
    expected = {text: answers[major - MAJORS[0]] == "y" for text, answers in ANSWERS.items()}
    found = {text: is_taken_as_setting(text, find_zone, major) for text in ANSWERS}
    assert found == expected | dict.fromkeys(NOT_READ, False)


@pytest.mark.pg(">= 13", npm=True, each=True)
def test_the_table_is_what_servers_say(pg: Installation) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        for text in list(ANSWERS)[pg.major % 7 :: 7]:
            answer = "y" if takes(pg, Path(scratch), text) else "n"
            assert answer == ANSWERS[text][pg.major - MAJORS[0]], text


@pytest.mark.pg(">= 17", npm=True, each=True)
def test_abbreviations_of_its_own_zone_count_from_18_on(pg: Installation) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        for zone in ("Europe/Madrid", "Europe/Moscow", "UTC"):
            for word in ("CEST", "MSK", "CET", "IST"):
                text = f"2026-07-28 14:29:59 {word}"
                assert takes(pg, Path(scratch), text, zone) == _is_taken(text, zone, pg.major)


def _is_taken(text: str, zone: str, major: int) -> bool:
    try:
        read_time(text, ZoneInfo(zone), find_zone, is_setting=True, major=major)
    except ParseError:
        return False
    return True


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-28T14:29:59Z", "2026-11-28 14:29:59 z", "20261128T142959Z",
        "2026-11-28T14:29:59+00:00", "2026-11-28 15:29:59 CET", "2026-11-28 17:29:59 MSK",
        "2026-11-28 16:29:59 CEST",
        "Nov 28 14:29:59 2026 UTC", "Sat, 28 Nov 2026 14:29:59 +0000",
        "2026-11-28 02:29:59 PM UTC",
        "2026-11-28 11:29:59\u221203", "2026-11-28 14:29:59 UT",
        "2026-11-28 15:29:59 europe/madrid",
    ],
)  # fmt: skip
def test_what_a_person_types_is_the_instant_that_it_denotes(text: str) -> None:
    at_us = read_goal(Target(type="time", value=text), find_zone=find_zone).time_us
    assert at_us is not None and instant(at_us) == AT
    assert has_zone(text)


def test_a_fraction_after_a_comma_is_one() -> None:
    assert instant(read_time("2026-11-28 14:29:59,5", UTC)) == AT.replace(microsecond=500_000)


@pytest.mark.parametrize(
    "text", [*ANSWERS, "9" * 5000, "2026-11-28 " + "9" * 5000, "\0", "٣", "J" * 90]
)
def test_no_text_is_a_crash(text: str) -> None:
    for is_setting in (True, False):
        with contextlib.suppress(ParseError):
            instant(read_time(text, UTC, find_zone, is_setting=is_setting))
    has_zone(text)


@pytest.mark.parametrize(("typed", "number"), [("+1129", 1129), (" 1129", 1129), ("+0x1F", 31)])
def test_a_transaction_id_may_have_a_sign(typed: str, number: int) -> None:
    assert read_goal(Target(type="xid", value=typed)).xid == number
