"""The instants that chance chooses: over the weeks they come by every part of the window."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from parsers.wal.facts import POSTGRES_EPOCH, Facts, RestorePoint, Transactions, instant
from rules.drill.sample import UndrilledStretch, find_untried, sample_goals
from rules.model.windows import Window

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY, WEEK = timedelta(days=1), timedelta(days=7)
SEEDS = range(20)
SIZE = 1 << 20


def next_instant(span: UndrilledStretch, drilled: list[datetime], random: Random) -> datetime:
    untried = find_untried([span], drilled, random)[0]
    return untried.begin + untried.length * random.random()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_year_of_weekly_drills_samples_every_part_of_a_window(seed: int) -> None:
    random, drilled = Random(seed), list[datetime]()
    span = UndrilledStretch(BEGIN, BEGIN + 30 * DAY)
    for _ in range(52):
        drilled.append(next_instant(span, drilled, random))
    tenths = {(at - BEGIN) // (3 * DAY) for at in drilled}
    assert tenths == set(range(10))
    ends = [span.begin, *sorted(drilled), span.end]
    longest = max(end - begin for begin, end in pairwise(ends))
    assert longest < 30 * DAY / 15  # evenly: a bare random choice leaves twice that on average


@pytest.mark.parametrize("seed", SEEDS)
def test_a_window_that_moves_on_leaves_nothing_untried_for_long(seed: int) -> None:
    """Fourteen days are kept, one drill a week: each is followed by what the week brought."""
    random, drilled = Random(seed), list[datetime]()
    for week in range(52):
        span = UndrilledStretch(BEGIN + week * WEEK, BEGIN + (week + 2) * WEEK)
        drilled.append(next_instant(span, drilled, random))
        assert span.begin <= drilled[-1] <= span.end
    ends = sorted(drilled)
    gaps = [end - begin for begin, end in pairwise(ends)]
    assert max(gaps) <= 2 * 2 * WEEK


def test_the_longest_stretch_without_a_drill_is_next() -> None:
    spans = [
        UndrilledStretch(BEGIN, BEGIN + 2 * DAY),
        UndrilledStretch(BEGIN + 10 * DAY, BEGIN + 13 * DAY),
    ]
    drilled = [BEGIN + 11 * DAY, BEGIN + 100 * DAY, BEGIN - DAY, BEGIN + 5 * DAY]
    first, second, *_ = find_untried(spans, drilled, Random(1))
    assert {first, second} == {spans[0], UndrilledStretch(BEGIN + 11 * DAY, BEGIN + 13 * DAY)}
    longest, other = find_untried(spans[:1], [BEGIN + DAY / 2], Random(1))
    assert longest == UndrilledStretch(BEGIN + DAY / 2, BEGIN + 2 * DAY)
    assert other == UndrilledStretch(BEGIN, BEGIN + DAY / 2)
    assert find_untried([], drilled, Random(1)) == []


# -- from an instant to a target -------------------------------------------------------------------


def segment(number: int, *minutes: int, name: str = "") -> Any:
    """A segment with a commit at each of these minutes, and a restore point after the last."""
    transactions = Transactions()
    for place, minute in enumerate(minutes):
        lsn = number * SIZE + 0x100 * (place + 1)
        transactions.lsns.append(lsn)
        transactions.end_lsns.append(lsn + 0x40)
        transactions.times_us.append(_us(BEGIN + timedelta(minutes=minute)))
        transactions.xids.append(700 + minute)
        transactions.kinds.append(0)
    lsn = number * SIZE + 0x8000
    point = RestorePoint(lsn, lsn + 0x40, _us(BEGIN + timedelta(minutes=minutes[-1])), name)
    return SimpleNamespace(facts=Facts(transactions=transactions, events=(point,) if name else ()))


def _us(at: datetime) -> int:
    return round((at - POSTGRES_EPOCH) / timedelta(microseconds=1))


def window(segments: dict[str, Any], to_minute: int, **values: Any) -> Window:
    return Window(
        timeline=3, from_lsn=values.get("from_lsn", SIZE), to_lsn=values.get("to_lsn", 4 * SIZE),
        obstacle=None, from_time=BEGIN, to_time=BEGIN + timedelta(minutes=to_minute),
        segments=tuple(segments),
    )  # fmt: skip


SEGMENTS = {
    "000000030000000000000001": segment(1, 0, 10, 20),
    "000000030000000000000002": segment(2, 30, 40, name="half"),
    "000000030000000000000003": segment(3, 50, 60),
}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_target_is_a_transaction_that_exists(seed: int) -> None:
    goals = sample_goals([window(SEGMENTS, 60)], SEGMENTS, [], Random(seed))
    assert {goal.timeline for goal in goals} == {3}
    assert {"time", "lsn"} <= {goal.type for goal in goals}
    found = [row for scan in SEGMENTS.values() for row in scan.facts.transactions]
    for goal in goals:
        assert {
            "time": goal.time_us in {row.time_us for row in found},
            "lsn": goal.lsn in {row.end_lsn for row in found},
            "xid": goal.xid in {row.xid for row in found},
            "name": goal.name == "half",
        }[goal.type]


def test_every_kind_of_target_comes_and_lies_where_no_drill_went() -> None:
    drilled = [BEGIN + timedelta(minutes=minute) for minute in (10, 20, 50, 55)]
    kinds, minutes = set[str](), set[int]()
    for seed in range(60):
        goals = sample_goals([window(SEGMENTS, 60)], SEGMENTS, drilled, Random(seed))
        kinds.add(goals[0].type)
        minutes |= {_minute(goal.time_us) for goal in goals if goal.time_us is not None}
    assert kinds == {"time", "lsn", "xid", "name"}
    assert minutes == {30, 40}


def _minute(time_us: int) -> int:
    return (instant(time_us) - BEGIN) // timedelta(minutes=1)


def test_what_lies_outside_of_the_window_is_no_target() -> None:
    narrow = window(SEGMENTS, 60, from_lsn=2 * SIZE, to_lsn=3 * SIZE)
    for seed in SEEDS:
        for goal in sample_goals([narrow], SEGMENTS, [], Random(seed)):
            assert goal.lsn is None or 2 * SIZE <= goal.lsn < 3 * SIZE
            assert goal.xid is None or goal.xid in (730, 740)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_idle_night_does_not_hold_up_the_rest(seed: int) -> None:
    """Between two commits lies most of the window, and nothing to go to."""
    segments = {"000000030000000000000001": segment(1, 0, 10, 20, 900, 905, 960)}
    drilled, random = list[datetime](), Random(seed)
    for _ in range(6):
        goals = sample_goals([window(segments, 960)], segments, drilled, random)
        (time_us,) = {goal.time_us for goal in goals if goal.time_us is not None}
        drilled.append(instant(time_us))
    assert {(at - BEGIN) // timedelta(minutes=1) for at in drilled} == {0, 10, 20, 900, 905, 960}
    assert sample_goals([window(segments, 960)], segments, drilled, random), "begins anew"


@pytest.mark.parametrize(
    "empty",
    [
        lambda: sample_goals([], SEGMENTS, [], Random(0)),
        lambda: sample_goals([window(SEGMENTS, 60)], {}, [], Random(0)),
        lambda: sample_goals([window(SEGMENTS, 60, to_lsn=SIZE)], SEGMENTS, [], Random(0)),
    ],
)
def test_there_may_be_none(empty: Callable[[], list[Any]]) -> None:
    assert empty() == []
