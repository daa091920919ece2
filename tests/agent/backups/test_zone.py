"""The zone of times without one is a fact of the backups that were read anyway."""

from __future__ import annotations

from datetime import UTC

import pytest

from agent.backups.zone import server_zone
from agent.errors import UsageError
from agent.find.times import FindTimes
from rules.model.goal import parse_time, read_time
from tests.rules.catalogue.facts import backup, backups, settings

TOKYO = backup(settings=settings("/old", timezone="Asia/Tokyo"), url="/old")
MADRID = backup(settings=settings("/new", timezone="Europe/Madrid"), url="/new")
NOWHERE = backup(settings=settings("/odd", timezone="Utopia"), url="/odd")


def test_the_newest_backup_that_tells_it() -> None:
    for found, key in (
        (backups(TOKYO, MADRID), "Europe/Madrid"),
        (backups(TOKYO, NOWHERE, backup()), "Asia/Tokyo"),
        (backups(NOWHERE), "UTC"),
        (None, "UTC"),
    ):
        assert server_zone(found)[0].key == key
    assert server_zone(backups(TOKYO))[1] == "TimeZone of /old/postgresql.conf:1"


def test_the_times_of_a_search_are_read_in_it() -> None:
    typed = parse_time("2026-07-08 12:00:00")
    read = FindTimes(around=typed, until=parse_time("2026-07-08 12:00:00+00")).read(backups(TOKYO))
    assert read.around_us == read_time("2026-07-08 12:00:00+09", UTC)
    source = "Asia/Tokyo (TimeZone of /old/postgresql.conf:1)"
    assert read.note == f"times without a zone were read as {source}"
    assert FindTimes(until=parse_time("2026-07-08 12:00:00+00")).read(backups(TOKYO)).note == ""


def test_which_of_two_is_later_the_zone_decides() -> None:
    since, until = parse_time("2026-07-08 12:00:00"), parse_time("2026-07-08 09:00:00+00")
    times = FindTimes(since=since, until=until)
    assert times.read(backups(TOKYO)).since_us == read_time("2026-07-08 03:00:00+00", UTC)
    with pytest.raises(UsageError, match="--from is later than --to"):
        times.read(backups(MADRID))
