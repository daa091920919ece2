"""Forecasts over simulated months, asked at every hour, against what then happens.

The clock is an argument. A world says what is known at an instant, and when a goal really breaks;
near the breach a tenth of the time that is left is held to be a tenth of the habit's own interval.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from rules.capacity.exposure import ExposureFacts
from rules.capacity.forecast import ReplayRate, RestoreEstimateFacts
from rules.fleet.cuts import Cut
from rules.fleet.forecasts import (
    Breach,
    WalRate,
    forecast_age,
    forecast_rpo,
    forecast_rto,
    forecast_space,
    forecast_window,
    habit_of,
    rate_of,
)

BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
DAY = 86400.0
GB = 10**9


def after(days: float) -> datetime:
    return BEGAN + timedelta(days=days)


class Outcome(NamedTuple):
    """How a forecast did over a whole world."""

    foreseen: int  # instants at which it said something, before the breach
    missed: list[tuple[datetime, Breach]]  # what it said that was not so


def hours(since: float, until: float) -> Iterator[datetime]:
    count = int((until - since) * 24)
    return (after(since) + timedelta(hours=number) for number in range(count))


def hold(
    said_at: Callable[[datetime], Breach | None],
    happens: Callable[[datetime], datetime | None],
    over: Iterator[datetime],
    interval_seconds: float = 0.0,
) -> Outcome:
    """Ask at every instant, and hold what is said against the next breach that happens."""
    foreseen, missed = 0, []
    for now in over:
        breach, actual = said_at(now), happens(now)
        if breach is None or breach.at is None or breach.at <= now:  # silent, or broken already
            continue
        foreseen += 1
        left = (actual - now).total_seconds() if actual is not None else 0.0
        allowed = 0.1 * max(left, interval_seconds)
        if actual is None or abs((breach.at - actual).total_seconds()) > allowed:
            missed.append((now, breach))
    return Outcome(foreseen, missed)


# -- retention -------------------------------------------------------------------------------------


class Kept:
    """Backups that end at these days, of which retention keeps so many."""

    def __init__(self, ended: Sequence[float], keep: Callable[[int], int]) -> None:
        self._begins: list[tuple[datetime, datetime]] = [(after(ended[0]), after(ended[0]))]
        self.cuts: list[Cut] = []
        first = 0
        for number, end in enumerate(ended):
            while number - first + 1 > keep(number):
                first += 1
                left = (end - ended[first]) * DAY
                self.cuts.append(Cut(at=after(end), left_seconds=left))
                self._begins.append((after(end), after(ended[first])))

    def known(self, now: datetime) -> tuple[datetime, list[Cut]]:
        earliest = [begin for at, begin in self._begins if at <= now][-1]
        return earliest, [cut for cut in self.cuts if cut.at <= now]

    def breach(self, wanted: float, now: datetime) -> datetime | None:
        later = (cut.at for cut in self.cuts if cut.at > now and cut.left_seconds < wanted)
        return next(later, None)


def window_of(kept: Kept, wanted: float, since: float, until: float) -> Outcome:
    return hold(
        lambda now: forecast_window(wanted, *kept.known(now), now),
        lambda now: kept.breach(wanted, now),
        hours(since, until),
        kept.cuts[-1].at.timestamp() - kept.cuts[-2].at.timestamp(),
    )


def test_weekly_backups_of_which_three_are_kept_break_a_window_of_fifteen_days() -> None:
    """Just after a deletion fourteen days are left, a day later fifteen: it breaks every week."""
    kept = Kept([7.0 * week for week in range(30)], keep=lambda number: 3)
    outcome = window_of(kept, 15 * DAY, since=60, until=200)
    assert outcome.missed == []
    assert outcome.foreseen > 140 * 24 * 0.8


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 5))]
)
def test_daily_backups_that_are_not_to_the_minute(seed: int) -> None:
    chance = random.Random(seed)
    ended = [day + chance.uniform(-0.02, 0.02) for day in range(100)]
    kept = Kept(ended, keep=lambda number: 9)
    outcome = window_of(kept, 8.5 * DAY, since=30, until=95)
    assert outcome.missed == []
    assert outcome.foreseen
    healthy = window_of(kept, 7.5 * DAY, since=30, until=95)
    assert healthy == Outcome(0, [])


def test_retention_by_space_takes_more_and_more() -> None:
    """Each deletion leaves two hours less, as WAL grows: the day is foreseen weeks before."""
    cuts = [Cut(at=after(day), left_seconds=14 * DAY - 7200 * day) for day in range(120)]
    wanted = 7 * DAY
    actual = next(cut.at for cut in cuts if cut.left_seconds < wanted)

    def said(now: datetime) -> Breach | None:
        known = [cut for cut in cuts if cut.at <= now]
        earliest = known[-1].at - timedelta(seconds=known[-1].left_seconds)
        return forecast_window(wanted, earliest, known, now)

    outcome = hold(said, lambda now: actual, hours(5, 84), DAY)
    assert outcome.missed == []
    assert outcome.foreseen > 40 * 24, "from the day on that as much was seen as is to come"
    first = said(after(60))
    assert first is not None and "less each time" in first.basis


def test_a_retention_without_a_habit_is_no_ground_for_a_forecast() -> None:
    chance = random.Random(1)
    days, ended = 0.0, []
    while days < 200:
        days += chance.choice((1, 2, 5, 9))
        ended.append(days)
    kept = Kept(ended, keep=lambda number: 6)
    assert window_of(kept, 20 * DAY, since=60, until=190) == Outcome(0, [])


def test_four_deletions_are_no_habit() -> None:
    cuts = [Cut(at=after(day), left_seconds=7 * DAY) for day in (7, 14, 21, 28)]
    assert forecast_window(7.5 * DAY, after(21), cuts, after(30)) is None


def test_deletions_that_stopped_are_no_habit_any_more() -> None:
    cuts = [Cut(at=after(day), left_seconds=7 * DAY) for day in range(10)]
    assert forecast_window(7.5 * DAY, after(2), cuts, after(9.9)) is not None
    assert forecast_window(7.5 * DAY, after(2), cuts, after(10.5)) is None


def test_a_window_that_is_too_short_is_broken_and_says_since_when() -> None:
    young = forecast_window(7 * DAY, after(0), [], after(3))
    assert young is not None and young.at == after(0)
    cut = forecast_window(7 * DAY, after(4), [Cut(at=after(8), left_seconds=4 * DAY)], after(9))
    assert cut is not None and cut.at == after(8)


# -- backups and drills that must come in time -----------------------------------------------------


def ages(ended: Sequence[float], wanted: float, since: float, until: float) -> Outcome:
    instants = [after(day) for day in ended]

    def broken(now: datetime) -> datetime | None:
        known = [at for at in instants if at <= now]
        for at in (max(known), *(at for at in instants if at > now)):
            due = at + timedelta(seconds=wanted)
            if not any(at < later <= due for later in instants):
                return due
        return None

    return hold(
        lambda now: forecast_age(
            "backup_age", "base backup: {at}", wanted, [at for at in instants if at <= now], now
        ),
        broken,
        hours(since, until),
    )


def test_backups_that_stop_coming() -> None:
    """Nightly for two months, then none: the last one's age is over two days."""
    ended = [day + 0.1 for day in range(60)]
    outcome = ages(ended, 2 * DAY, since=10, until=61)
    assert outcome.missed == []
    assert outcome.foreseen > 12, "from the hour on in which the next had to be there"
    assert ages(ended, 2 * DAY, since=10, until=59) == Outcome(0, []), "as long as they come"


def test_backups_that_come_too_seldom() -> None:
    outcome = ages([7.0 * week for week in range(20)], 6 * DAY, since=30, until=130)
    assert outcome.missed == []
    assert outcome.foreseen


def test_backups_without_a_habit() -> None:
    chance = random.Random(3)
    ended = sorted(chance.uniform(0, 100) for _ in range(30))
    assert ages(ended, 20 * DAY, since=50, until=99) == Outcome(0, [])


# -- archive lag -----------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_an_archiver_that_is_slower_than_the_writer(share: float) -> None:
    """What is archived at an instant was written `share` of the time since the trouble began."""
    wanted, pace = 3600.0, 10e6
    breaks = BEGAN + timedelta(seconds=wanted / (1 - share))

    def said(now: datetime) -> Breach | None:
        gone = (now - BEGAN).total_seconds()
        exposed = ExposureFacts(
            bytes=round(pace * (1 - share) * gone),
            seconds=(1 - share) * gone,
            at_least=False,
            written_per_second=pace,
            archived_per_second=share * pace,
        )
        return forecast_rpo(wanted, exposed, True, now)

    minutes = (BEGAN + timedelta(minutes=number) for number in range(1, 59))
    outcome = hold(said, lambda now: breaks, minutes)
    assert outcome == Outcome(58, [])


def test_an_archiver_that_keeps_up_breaks_nothing() -> None:
    exposed = ExposureFacts(
        bytes=1, seconds=9.0, at_least=False, written_per_second=1e6, archived_per_second=1e6
    )
    assert forecast_rpo(60.0, exposed, True, BEGAN) is None
    slower = ExposureFacts(
        bytes=1, seconds=9.0, at_least=False, written_per_second=1e6, archived_per_second=0.0
    )
    assert forecast_rpo(60.0, slower, False, BEGAN) is None, "nothing waits for it"


# -- a restore that takes longer and longer --------------------------------------------------------


def restore_takes(seconds: float) -> RestoreEstimateFacts:
    speed = 50e6
    rate = ReplayRate(replayed_bytes=GB, seconds=GB / speed, source="drill", at=BEGAN)
    return RestoreEstimateFacts(
        replay_bytes=round(seconds * speed),
        bytes_per_second=speed,
        restores_count=3,
        latest=rate,
        source="drill",
    )


def test_a_restore_takes_longer_with_all_that_is_written() -> None:
    """No backup any more: 100 kB/s of WAL with a daily wave, replayed at 50 MB/s."""
    chance = random.Random(5)
    written, positions = 0.0, []
    for hour in range(24 * 60):
        written += 3600 * 100e3 * chance.uniform(0.8, 1.2)
        positions.append((BEGAN + timedelta(hours=hour + 1), written))
    wanted = 5000.0  # 250 GB at that speed
    actual = next(at for at, lsn in positions if lsn / 50e6 > wanted)

    def said(now: datetime) -> Breach | None:
        lsn = [lsn for at, lsn in positions if at <= now][-1]
        rate = rate_of([(BEGAN, 0), (now, round(lsn))])
        return forecast_rto(wanted, restore_takes(lsn / 50e6), rate, None, now)

    outcome = hold(said, lambda now: actual, hours(1, 28))
    assert outcome.missed == []
    assert outcome.foreseen > 13 * 24, "not before half of it was seen"
    assert said(after(5)) is None


def test_the_next_backup_comes_before_the_restore_takes_too_long() -> None:
    rate = WalRate(bytes_per_second=100e3, seen_seconds=30 * DAY, until=after(30))
    weekly = habit_of([after(7.0 * week) for week in range(5)])
    takes = restore_takes(1000.0)
    alone = forecast_rto(5000.0, takes, rate, None, after(30))
    assert alone is not None and alone.at > after(50)
    assert forecast_rto(5000.0, takes, rate, weekly, after(30)) is None
    assert forecast_rto(5000.0, takes, rate, weekly, after(37)) is not None, "it did not come"


def test_a_pace_that_changes_is_no_pace() -> None:
    assert rate_of([(after(0), 0), (after(1), GB), (after(2), 5 * GB)]) is None
    assert rate_of([(after(0), 0), (after(1), GB), (after(2), 2 * GB)]) is not None


# -- growth ----------------------------------------------------------------------------------------


def test_an_archive_that_has_no_room_for_its_goal() -> None:
    """A disk of 100 GB, 3 GB a day, and a window of 40 days is wanted."""
    disk, daily = 100 * GB, 3 * GB
    actual = after(disk / daily)

    def said(now: datetime) -> Breach | None:
        days = (now - BEGAN).total_seconds() / DAY
        held = round(daily * days)
        rate = WalRate(bytes_per_second=daily / DAY, seen_seconds=days * DAY, until=now)
        return forecast_space(40 * daily, held, disk - held, rate)

    outcome = hold(said, lambda now: actual, hours(1, 33))
    assert outcome.missed == []
    assert outcome.foreseen > 15 * 24
    assert said(after(10)) is None, "less was seen than is to come"


def test_an_archive_with_room_for_its_goal() -> None:
    rate = WalRate(bytes_per_second=1e6, seen_seconds=30 * DAY, until=after(30))
    assert forecast_space(10 * GB, 5 * GB, 5 * GB, rate) is None
