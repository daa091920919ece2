"""Forecasts over months of other shapes, with seeds that they were not made with.

Weekends are quiet, a batch runs every night, a month is closed, WAL grows by 5 % a week, retention
is changed in the middle, nobody looks for three days. What is said is held against what then
happens, within a tenth of the time that is left; near it, of the interval between two backups.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice, pairwise
from typing import Final

import pytest

from rules.fleet.cuts import Cut
from rules.fleet.forecasts import (
    Breach,
    forecast_age,
    forecast_rto,
    forecast_space,
    forecast_window,
    rate_of,
    rhythm_of,
)
from tests.rules.fleet.test_simulated_months import (
    BEGAN,
    DAY,
    GB,
    Kept,
    Outcome,
    after,
    ages,
    hold,
    hours,
    restore_takes,
    window_of,
)

SEEDS: Final = (101, pytest.param(202, marks=pytest.mark.slow))
Pace = Callable[[float], float]  # the day, with its fraction -> how many times the usual


def even(day: float) -> float:
    return 1.0


def weekend_quiet(day: float) -> float:
    return 0.1 if int(day) % 7 >= 5 else 1.36


def nightly_batch(day: float) -> float:
    return 7.5 if 1 / 24 <= day % 1 < 4 / 24 else 0.07


def monthly_close(day: float) -> float:
    return 5.0 if int(day) % 30 >= 28 else 0.71


def growing(day: float) -> float:
    return float(1.05 ** (day / 7))


SHAPES: Final = (even, weekend_quiet, nightly_batch, monthly_close, growing)


def looks(since: float, until: float) -> Iterator[datetime]:
    """Every five hours, so that each hour of a day has its turn."""
    return islice(hours(since, until), 0, None, 5)


class Wal:
    """What is written, by the hour, and the backups that are taken."""

    def __init__(self, pace: Pace, seed: int, days: int, daily: float = 8.64 * GB) -> None:
        chance = random.Random(seed)
        self._written = [0.0]
        for hour in range(days * 24):
            noise = chance.uniform(0.85, 1.15)
            self._written.append(self._written[-1] + daily / 24 * pace(hour / 24) * noise)

    def lsn(self, at: datetime) -> float:
        hour = (at - BEGAN).total_seconds() / 3600
        whole = int(hour)
        here, after_it = self._written[whole], self._written[min(whole + 1, self.hours)]
        return here + (hour - whole) * (after_it - here)

    @property
    def hours(self) -> int:
        return len(self._written) - 1

    def seen(self, now: datetime) -> list[tuple[datetime, int]]:
        """By the times in it: of every fifth hour."""
        whole = int((now - BEGAN).total_seconds() / 3600)
        return [(BEGAN + timedelta(hours=n), round(self._written[n])) for n in range(0, whole, 5)]

    def reaches(self, lsn: float) -> datetime | None:
        """When so much is written."""
        hour = bisect_right(self._written, lsn)
        if hour > self.hours:
            return None
        part = (lsn - self._written[hour - 1]) / (self._written[hour] - self._written[hour - 1])
        return BEGAN + timedelta(hours=hour - 1 + part)


def backups_every(days: float, until: float, seed: int) -> list[float]:
    """With the minutes that a scheduler and a copy take more or less."""
    chance = random.Random(seed)
    return [n * days + 0.02 + chance.uniform(0, 0.02) for n in range(int(until / days))]


# -- a restore that takes longer, with backups that stop ------------------------------------------


def rto(wal: Wal, taken: Sequence[float], wanted: float, since: float, until: float) -> Outcome:
    instants = [after(day) for day in taken]

    def said(now: datetime) -> Breach | None:
        there = [at for at in instants if at <= now]
        points = [(at, round(wal.lsn(at))) for at in there]
        takes = restore_takes((wal.lsn(now) - wal.lsn(there[-1])) / 50e6)
        rate = rate_of([*points, (now, round(wal.lsn(now)))], wal.seen(now))
        return forecast_rto(wanted, takes, rate, rhythm_of(there), now)

    def happens(now: datetime) -> datetime | None:
        newest = max(at for at in instants if at <= now)
        for at, following in pairwise([newest, *(at for at in instants if at > now), None]):
            assert at is not None
            reached = wal.reaches(wal.lsn(at) + wanted * 50e6)
            if reached is not None and reached > now and (following is None or reached < following):
                return reached
        return None

    return hold(said, happens, looks(since, until), (instants[-1] - instants[-2]).total_seconds())


@pytest.mark.parametrize("pace", SHAPES, ids=lambda pace: pace.__name__)
@pytest.mark.parametrize("every", [1.0, 7.0])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_restore_takes_too_long_once_backups_stop(pace: Pace, every: float, seed: int) -> None:
    """They are taken for five weeks; from two intervals after the last one on, it is too long."""
    wal, taken = Wal(pace, seed, 120), backups_every(every, 35, seed)
    wanted = 8.64 * GB * 2.5 * every / 50e6
    outcome = rto(wal, taken, wanted, since=20, until=35 + 4 * every)
    assert outcome.missed == []
    if pace is even:
        assert outcome.foreseen


# -- the archive's room ----------------------------------------------------------------------------


@pytest.mark.parametrize("pace", SHAPES, ids=lambda pace: pace.__name__)
@pytest.mark.parametrize("every", [1.0, 7.0])
@pytest.mark.parametrize("seed", SEEDS)
def test_an_archive_fills(pace: Pace, every: float, seed: int) -> None:
    """Nothing is deleted; a disk for some sixty days, and a goal of a year."""
    wal, taken = Wal(pace, seed, 200), backups_every(every, 150, seed)
    disk = 60 * 8.64 * GB
    actual = wal.reaches(disk)
    assert actual is not None

    def said(now: datetime) -> Breach | None:
        points = [(after(day), round(wal.lsn(after(day)))) for day in taken if after(day) <= now]
        held = round(wal.lsn(now))
        rate = rate_of([*points, (now, held)], wal.seen(now))
        return rate and forecast_space(365 * 9 * GB, held, round(disk) - held, rate)

    days = (actual - BEGAN).total_seconds() / DAY
    outcome = hold(said, lambda now: actual, looks(8, days), every * DAY)
    assert outcome.missed == []
    if pace is even:
        assert outcome.foreseen > 3 * 24


# -- retention ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("wanted", [8.5, 9.5, 10.5])
def test_retention_with_backups_on_workdays_alone(seed: int, wanted: float) -> None:
    taken = [day for day in backups_every(1, 150, seed) if int(day) % 7 < 5]
    assert window_of(Kept(taken, lambda _: 8), wanted * DAY, since=30, until=145).missed == []


@pytest.mark.parametrize("seed", SEEDS)
def test_retention_by_space_while_wal_grows(seed: int) -> None:
    """By 5 % a week: each deletion leaves less time, though not along a line."""
    chance = random.Random(seed)
    cuts = [
        Cut(at=after(day), left_seconds=14 * DAY / growing(day) * chance.uniform(0.9995, 1.0005))
        for day in range(170)
    ]
    for goal in (12.0, 9.0, 7.0, 5.0):
        actual = next(cut.at for cut in cuts if cut.left_seconds < goal * DAY)

        def said(now: datetime, goal: float = goal) -> Breach | None:
            known = [cut for cut in cuts if cut.at <= now][-60:]
            earliest = known[-1].at - timedelta(seconds=known[-1].left_seconds)
            return forecast_window(goal * DAY, earliest, known, now)

        days = (actual - BEGAN).total_seconds() / DAY
        outcome = hold(said, lambda now, actual=actual: actual, looks(5, days), DAY)
        assert outcome.missed == [], goal
        assert outcome.foreseen > 5, goal


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("before", "then"), [(14, 8), (8, 14)])
def test_retention_that_is_changed_in_the_middle(seed: int, before: int, then: int) -> None:
    """Nobody can know of it until the first deletion that is another, or does not come."""
    taken = backups_every(1, 120, seed)
    kept = Kept(taken, lambda number: before if number < 60 else then)
    for wanted in (6.5, 7.5, 13.5):
        assert window_of(kept, wanted * DAY, since=20, until=59).missed == []
        assert window_of(kept, wanted * DAY, since=61.3, until=115).missed == []


@pytest.mark.parametrize("seed", SEEDS)
def test_three_days_in_which_nobody_looked(seed: int) -> None:
    """What was deleted meanwhile is noticed afterwards, at once."""
    chance = random.Random(seed)
    taken = backups_every(1, 120, seed)
    kept = Kept(taken, lambda _: 9)
    begin = 60 + chance.random()
    gap = (after(begin), after(begin + 3))
    unseen = [cut for cut in kept.cuts if gap[0] < cut.at < gap[1]]
    noticed = [cut for cut in kept.cuts if cut not in unseen]
    last = unseen[-1]
    late = last.left_seconds + (gap[1] - last.at).total_seconds()
    noticed = sorted([*noticed, Cut(at=gap[1], left_seconds=late)], key=lambda cut: cut.at)
    for wanted in (7.5, 8.5):

        def said(now: datetime, wanted: float = wanted) -> Breach | None:
            earliest, _ = kept.known(now)
            known = [cut for cut in noticed if cut.at <= now]
            return forecast_window(wanted * DAY, earliest, known, now)

        def happens(now: datetime, wanted: float = wanted) -> datetime | None:
            return kept.breach(wanted * DAY, now)

        outcome = hold(said, happens, looks(begin + 3, 115), DAY)
        assert outcome.missed == []
        assert wanted < 8 or outcome.foreseen > 24 * 4, "the habit is found again"


# -- backups and drills that must come in time -----------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("wanted", [1.5, 2.5, 3.5])
def test_ages_of_backups_on_workdays_alone(seed: int, wanted: float) -> None:
    taken = [day for day in backups_every(1, 120, seed) if int(day) % 7 < 5]
    assert ages(taken, wanted * DAY, since=20, until=100).missed == []


@pytest.mark.parametrize("seed", SEEDS)
def test_ages_of_backups_that_take_longer_and_longer(seed: int) -> None:
    """Each begins at the same hour, and ends 5 % a week later."""
    chance = random.Random(seed)
    taken = [day + 0.1 * growing(day) * chance.uniform(0.95, 1.05) for day in range(120)]
    assert ages(taken, 1.5 * DAY, since=20, until=100) == Outcome(0, [])


@pytest.mark.parametrize("seed", SEEDS)
def test_ages_of_backups_of_which_some_are_missed(seed: int) -> None:
    """One now and then; who has seen that is not alarmed by the next."""
    taken = [day for day in backups_every(1, 120, seed) if int(day) % 11 != 10]
    outcome = ages(taken, 4.5 * DAY, since=12.1, until=110)
    assert outcome == Outcome(0, [])
    stopped = [day for day in taken if day < 65]
    outcome = ages(stopped, 4.5 * DAY, since=12.1, until=stopped[-1] + 4)
    assert outcome.missed == []
    assert outcome.foreseen > 24


@pytest.mark.parametrize("seed", SEEDS)
def test_ages_of_drills_after_the_month_is_closed(seed: int) -> None:
    """Monthly, a day more or less; then they stop."""
    chance = random.Random(seed)
    good = [month * 30.4 + chance.uniform(0, 1) for month in range(9)]
    outcome = hold(
        lambda now: forecast_age(
            "drill_age",
            "good drill: {at}",
            45 * DAY,
            [after(d) for d in good if after(d) <= now],
            now,
        ),
        lambda now: after(good[-1] + 45),
        looks(good[-1] + 1, good[-1] + 44),
    )
    assert outcome.missed == []
    assert outcome.foreseen > 24
