"""Stamps as a server writes them in every time zone that it knows, across changes of the clock."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from parsers.log.recovery_events import RecoveryEvent
from parsers.log.stream import LogStream
from parsers.log.times import Zone, parse_log_time
from tests.fix_postgres import NewCluster
from tests.waiting import wait_until

# In 2025: every hour of the days on which Europe, America and Australia change, and of one without.
_STAMPS = """
    SELECT extract(epoch FROM at)::bigint, to_char(at, 'YYYY-MM-DD HH24:MI:SS TZ')
      FROM (SELECT day + hour * interval '1 hour' AS at
              FROM unnest('{2025-01-15, 2025-03-09, 2025-03-30, 2025-04-05, 2025-07-15,
                            2025-10-04, 2025-10-26, 2025-11-02}'::timestamptz[]) AS day,
                   generate_series(0, 35) AS hour) AS instants
"""


def zone_of(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return None


@pytest.mark.pg("== 16")
def test_every_zone_of_the_server(pg, new_cluster: NewCluster) -> None:  # type: ignore[no-untyped-def]
    cluster = new_cluster(pg, archive=False)
    names = [row[0] for row in cluster.sql("SELECT name FROM pg_timezone_names ORDER BY name")]
    known = 0
    with cluster.connect() as connection:
        for name in names:
            zone = zone_of(name)
            if zone is None or name.startswith("posix/"):
                continue
            connection.execute("SELECT set_config('timezone', %s, false)", (name,))
            for epoch, stamp in connection.execute(_STAMPS).fetchall():
                at = datetime.fromtimestamp(epoch, UTC)
                assert parse_log_time(stamp, Zone(log_timezone=zone)) == at, (name, stamp)
                alone = parse_log_time(stamp, Zone())
                known += alone == at
                assert alone in (at, None), f"{name}: {stamp} is not {alone}"
    assert len(names) > 400 and known > 50_000


@pytest.mark.pg("== 16")
def test_a_log_whose_zone_is_changed_while_it_is_written(pg, new_cluster: NewCluster) -> None:  # type: ignore[no-untyped-def]
    """Arizona, India, half an hour, no name, no hour: each stamp is the instant of its line."""
    cluster = new_cluster(pg, archive=False, wal_level="replica")
    zones = (
        "America/Phoenix", "Asia/Kolkata", "Asia/Kathmandu", "America/Sao_Paulo", "Europe/Madrid",
        "Australia/Lord_Howe", "Pacific/Chatham", "Etc/GMT+9", "<-03>3", "<+0530>-5:30",
    )  # fmt: skip
    said: dict[str, tuple[datetime, datetime]] = {}
    for number, zone in enumerate(zones):
        cluster.configure(log_timezone=zone)
        cluster.reload()
        wait_until(lambda zone=zone: cluster.sql("SHOW log_timezone")[0][0] == zone)  # type: ignore[misc]
        before = datetime.now(UTC)
        cluster.sql("SELECT pg_create_restore_point(%s)", f"p{number}")
        said[f"p{number}"] = (before, datetime.now(UTC))
    lines = cluster.log.read_bytes().splitlines(keepends=True)
    for number, name in enumerate(zones):
        (line,) = (line for line in lines if b'restore point "p%d"' % number in line)
        at = {}
        for zone in (zone_of(name), None):
            stream = LogStream(zone=Zone(log_timezone=zone))
            items = stream.feed(line) + stream.end()
            at[zone] = next(
                item.at for item in items
                if isinstance(item, RecoveryEvent) and item.name == "restore_point_created"
            )  # fmt: skip
            ambiguous = "time_zone_ambiguous" in [getattr(item, "name", "") for item in items]
            assert ambiguous is (at[zone] is None)
        before, after = said[f"p{number}"]
        for zone, instant in at.items():
            if zone is not None or instant is not None:
                assert instant is not None, name
                assert (before - instant).total_seconds() < 0.01, (name, line)
                assert (instant - after).total_seconds() < 0.01, (name, line)
        if name == "Asia/Kolkata":
            assert at[None] is None, "IST is of India, Israel and Ireland"
