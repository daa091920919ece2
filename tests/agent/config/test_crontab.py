"""Crontab expressions mean what crontab(5) says, not what APScheduler makes of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from agent.config.crontab import longest_pause, parse_crontab

MONDAY = datetime(2026, 11, 23, 12, tzinfo=UTC)  # noon


def runs(text: str, count: int, zone: str = "UTC") -> list[str]:
    trigger, at, found = parse_crontab(text, ZoneInfo(zone)), MONDAY, list[str]()
    for _ in range(count):
        due = trigger.get_next_fire_time(None, at)
        assert due is not None
        found.append(f"{due:%a %d %H:%M:%S}")
        at = due + timedelta(microseconds=1)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 3 * * 0", ["Sun 29 03:00:00", "Sun 06 03:00:00"]),
        ("0 3 * * 7", ["Sun 29 03:00:00"]),
        ("0 3 * * SUN", ["Sun 29 03:00:00"]),
        ("30 1 * * 1-5", ["Tue 24 01:30:00", "Wed 25 01:30:00", "Thu 26 01:30:00",
                          "Fri 27 01:30:00", "Mon 30 01:30:00"]),
        ("0 0 * * 5-7", ["Fri 27 00:00:00", "Sat 28 00:00:00", "Sun 29 00:00:00"]),
        ("0 0 * * */3", ["Wed 25 00:00:00", "Sat 28 00:00:00", "Sun 29 00:00:00"]),
        ("0 0 * * 4/2", ["Thu 26 00:00:00", "Sat 28 00:00:00", "Thu 03 00:00:00"]),
        ("0 0 * * mon,sat", ["Sat 28 00:00:00", "Mon 30 00:00:00"]),
        ("0 3 1 * 0", ["Sun 29 03:00:00", "Tue 01 03:00:00", "Sun 06 03:00:00"]),  # either
        ("0 3 */2 * 1", ["Mon 07 03:00:00"]),  # both, where one begins with a star
        ("0 0 1 Feb-4/2 *", ["Mon 01 00:00:00", "Thu 01 00:00:00", "Tue 01 00:00:00"]),
        ("0 0 1 jan,mar *", ["Fri 01 00:00:00", "Mon 01 00:00:00", "Sat 01 00:00:00"]),
        ("*/15 * * * *", ["Mon 23 12:00:00", "Mon 23 12:15:00"]),
        ("*/20 * * * * *", ["Mon 23 12:00:00", "Mon 23 12:00:20", "Mon 23 12:00:40"]),
    ],
)  # fmt: skip
def test_it_is_due_when_cron_says(text: str, expected: list[str]) -> None:
    assert runs(text, len(expected)) == expected


def test_the_zone_counts() -> None:
    assert runs("0 3 * * 0", 1, "America/Mexico_City") == ["Sun 29 03:00:00"]
    trigger = parse_crontab("0 3 * * 0", ZoneInfo("America/Mexico_City"))
    due = trigger.get_next_fire_time(None, MONDAY)
    assert due == datetime(2026, 11, 29, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["", "soon", "0 3 * *", "0 3 * * 0 0 0", "61 3 * * 0", "0 3 * * 8", "0 3 * * fri-mon",
     "0 3 * * */0", "0 3 * * sunday", "x 3 * * 0", "0 3 1 * 9", "0 3 * janx *", "0 3 * mar-1 *"],
)  # fmt: skip
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a crontab expression"):
        parse_crontab(text, ZoneInfo("UTC"))


def test_what_never_comes_is_refused() -> None:
    with pytest.raises(ValueError, match="'0 3 30,31 2 \\*' is never due"):
        parse_crontab("0 3 30,31 2 *", ZoneInfo("UTC"))
    assert runs("0 3 29 2 *", 1) == ["Tue 29 03:00:00"]


@pytest.mark.parametrize(
    ("text", "day", "expected"),
    [
        # clocks go from 2:00 to 3:00, from 2:00 back to 1:00
        ("30 2 * * *", datetime(2027, 3, 14, tzinfo=UTC), ["14 03:30-0400", "15 02:30-0400"]),
        ("30 1 * * *", datetime(2026, 11, 1, tzinfo=UTC),
         ["01 01:30-0400", "01 01:30-0500", "02 01:30-0500"]),
    ],
)  # fmt: skip
def test_a_change_of_the_clocks_loses_no_run(text: str, day: datetime, expected: list[str]) -> None:
    """Told as APScheduler goes on: with the run before, and a moment after it."""
    zone = ZoneInfo("America/New_York")
    trigger, before, now, due = parse_crontab(text, zone), None, day, list[str]()
    for _ in expected:
        before = trigger.get_next_fire_time(before, now)
        assert before is not None
        now = before.astimezone(UTC) + timedelta(seconds=1)
        due.append(f"{now.astimezone(zone):%d %H:%M%z}")
    assert due == expected
    assert longest_pause(trigger, day) <= timedelta(hours=25)


def test_the_longest_pause_between_two_runs() -> None:
    def pause(text: str) -> timedelta:
        return longest_pause(parse_crontab(text, ZoneInfo("UTC")), MONDAY)

    assert pause("0 3 * * 0") == timedelta(days=7)
    assert pause("0 3 * * 1-5") == timedelta(days=3)
    assert pause("*/10 * * * * *") == timedelta(seconds=10)
    assert pause("*/20 9-17 * * *") == timedelta(hours=15, minutes=20), "the night"
    assert pause("0 9-17 * * 1-5") == timedelta(days=2, hours=16), "the weekend"
    assert pause("0 0 29 2 *") == timedelta(days=1461)
