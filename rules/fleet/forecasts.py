"""When a goal will be broken, if all goes on as it went.

Each forecast is arithmetic on what was seen, says on what it rests, and is silent where that does
not support one: too few repetitions, repetitions that are not regular, or an extrapolation over a
longer time than was seen. A goal that is broken already is no forecast: its breach is in the past.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from math import exp, log
from statistics import median
from typing import Final

from parsers.sentences import tr
from parsers.values import dataclass
from rules.capacity.exposure import ExposureFacts
from rules.capacity.forecast import RestoreEstimateFacts
from rules.fleet.cuts import Cut
from rules.model.counted import counted, sized, timed

_REPETITIONS: Final = 4  # intervals, the least that make a habit
_RECENT: Final = 8  # intervals that make one whatever was before them
_REGULAR: Final = 0.25  # by how much of their median intervals, or rates, may differ
_OVERDUE: Final = 1.1  # of the longest interval: after it what was expected has not come
_AGREED: Final = 0.1  # of the time that is left: what a forecast may be off, for all that is known
_RPO_HORIZON: Final = timedelta(days=1)  # rates are those of the last minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A goal that is broken, or will be."""

    goal: str  # rpo, rto, window, backup_age, drill_age, space
    at: datetime | None  # in the past: broken since then; None: broken, since when is not known
    basis: str  # what that rests on, for a person


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """Something that comes again and again."""

    seconds: float  # from one to the next: the median; where there is no habit, the shortest
    longest_seconds: float
    count: int  # intervals
    last: datetime
    pause_seconds: float  # the longest that was ever seen, before it was a habit too

    @property
    def next_at(self) -> datetime:
        return self.last + timedelta(seconds=self.seconds)

    def is_overdue(self, now: datetime) -> bool:
        return (now - self.last).total_seconds() > _OVERDUE * self.longest_seconds

    def is_missed(self, now: datetime) -> bool:
        """It is overdue, though it was late before and then came."""
        return (now - self.last).total_seconds() > _OVERDUE * self.pause_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class WalRate:
    """How fast WAL is written, over the time between the first and the last thing seen of it."""

    bytes_per_second: float
    seen_seconds: float
    until: datetime
    step_seconds: float = 0.0  # the longest time between two things seen
    doubt_seconds: float = 0.0  # how far ahead of an even pace, or behind it, WAL ever was

    def supports(self, ahead_seconds: float) -> bool:
        """Whether what was seen supports a forecast so far ahead.

        No further than was seen. A wave may be up now and down then; a pace that grows, or falls,
        is off a line between two instants by an eighth of what the line is off as long after them.
        """
        share = ahead_seconds / self.seen_seconds
        off = self.doubt_seconds * max(2.0, 4.0 * share * (1.0 + share))
        return share <= 1.0 and off <= _AGREED * max(ahead_seconds, self.step_seconds)


def habit_of(instants: Sequence[datetime]) -> Habit | None:
    """None where they are too few, or come as they like."""
    ordered = sorted(set(instants))
    gaps = list(_gaps(ordered))
    if not _is_steady(gaps):
        gaps = gaps[-_RECENT:] if len(gaps) > _RECENT else []
    if len(gaps) < _REPETITIONS or not _is_steady(gaps):
        return None
    return _habit(median(gaps), gaps, ordered)


def rhythm_of(instants: Sequence[datetime]) -> Habit | None:
    """The habit; where there is none, what came again may come as soon, or as late, as it did."""
    ordered = sorted(set(instants))
    if (habit := habit_of(instants)) is not None or len(ordered) < 2:
        return habit
    gaps = list(_gaps(ordered))
    return _habit(min(gaps), gaps, ordered)


def _habit(seconds: float, gaps: Sequence[float], ordered: Sequence[datetime]) -> Habit:
    return Habit(
        seconds=seconds,
        longest_seconds=max(gaps),
        count=len(gaps),
        last=ordered[-1],
        pause_seconds=max(_gaps(ordered)),
    )


def rate_of(
    points: Sequence[tuple[datetime, int]], between: Sequence[tuple[datetime, int]] = ()
) -> WalRate | None:
    """From positions in WAL and when they were written. None where the pace changed much.

    What else is known of the time `between` them tells how even the pace was.
    """
    ordered = sorted(points)
    if len(ordered) < 2:
        return None
    pieces = [
        (later[1] - sooner[1]) / (later[0] - sooner[0]).total_seconds()
        for sooner, later in pairwise(ordered)
        if later[0] > sooner[0]
    ]
    (first_at, first), (last_at, last) = ordered[0], ordered[-1]
    seconds = (last_at - first_at).total_seconds()
    if last <= first or not seconds or not _is_steady(pieces):
        return None
    rate = (last - first) / seconds
    seen = (each for each in (*ordered, *between) if first_at <= each[0] <= last_at)
    return WalRate(
        bytes_per_second=rate,
        seen_seconds=seconds,
        until=last_at,
        step_seconds=max((b[0] - a[0]).total_seconds() for a, b in pairwise(ordered)),
        doubt_seconds=max(
            abs((lsn - first) / rate - (at - first_at).total_seconds()) for at, lsn in seen
        ),
    )


# -- something that must come in time ------------------------------------------------------------


def forecast_age(
    goal: str, told: str, wanted_seconds: float, ended: Sequence[datetime], now: datetime
) -> Breach | None:
    """The age of the newest backup, or of the last good drill; `told` says when that ended."""
    if not ended:
        return None
    due = max(ended) + timedelta(seconds=wanted_seconds)
    said = tr(told, at=_at(max(ended)))
    if due <= now:
        return Breach(goal=goal, at=due, basis=said)
    habit = habit_of(ended)
    if habit is None:
        return None
    every = tr(
        "{intervals} of {time}",
        intervals=counted(habit.count, "interval"),
        time=timed(habit.seconds),
    )
    if habit.seconds > wanted_seconds:
        basis = tr("{said}; they come less often: {every}", said=said, every=every)
        return Breach(goal=goal, at=due, basis=basis)
    if habit.is_missed(now):
        basis = tr(
            "{said}; the next was expected at {at} and has not come: before, {every}",
            said=said,
            at=_at(habit.next_at),
            every=every,
        )
        return Breach(goal=goal, at=due, basis=basis)
    return None


# -- retention that is cutting -------------------------------------------------------------------


def forecast_window(
    wanted_seconds: float, earliest: datetime, cuts: Sequence[Cut], now: datetime
) -> Breach | None:
    """When a deletion leaves less of the window than is wanted."""
    if (now - earliest).total_seconds() < wanted_seconds:
        since = cuts[-1].at if cuts else earliest
        told = (
            tr("it begins at {at}: retention cut it")
            if cuts
            else tr("it begins at {at}: it has not reached back further yet")
        )
        return Breach(goal="window", at=since, basis=tr(told, at=_at(earliest)))
    habit = habit_of([cut.at for cut in cuts])
    if habit is None or habit.is_overdue(now):
        return None
    left = [cut.left_seconds for cut in cuts[-habit.count - 1 :]]
    trend = min((_trend(left, grows) for grows in (False, True)), key=lambda each: each.doubt)
    if trend.doubt > _REGULAR / 2 * median(left):
        return None
    number, half = trend.first_below(wanted_seconds), len(left) // 2
    if number is None or number > habit.count:  # no further than was seen
        return None
    if number > 1 and half > _REPETITIONS:
        lately = _trend(left[-half:], trend.grows).first_below(wanted_seconds)
        if lately is None or abs(lately - number) > _AGREED * number:
            return None
    step = trend.at(number - 1) - trend.at(number)
    basis = tr(
        "retention cut it {times}, every {every}; then {time} are left{shrinks}",
        times=counted(len(left), "time"),
        every=timed(habit.seconds),
        time=timed(trend.at(number)),
        shrinks=tr(", {time} less each time", time=timed(step)) if step > trend.doubt else "",
    )
    at = habit.last + timedelta(seconds=number * habit.seconds)
    return Breach(goal="window", at=max(at, now), basis=basis)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trend:
    """What values do from one to the next: change by a step, or by a share of what they are."""

    grows: bool  # by a share: as of what is kept in so much space while more and more is written
    last: float  # the value, or its logarithm
    step: float
    doubt: float  # by how much a value was off

    def at(self, number: int) -> float:
        """So many after the last."""
        value = self.last + number * self.step
        return exp(value) if self.grows else value

    def first_below(self, wanted: float) -> int | None:
        """The first of which it is sure; None: there is none, or one before may be."""
        for number in range(1, 1000):
            left = self.at(number)
            if self.doubt and abs(left - wanted) <= self.doubt:  # it may go either way
                return None
            if left < wanted:
                return number
            if self.step >= 0:
                return None
        return None


def _trend(left: Sequence[float], grows: bool) -> _Trend:
    """Theil and Sen's line: one odd value does not bend it."""
    values = [log(max(each, 1.0)) for each in left] if grows else left
    slopes = [
        (values[j] - values[i]) / (j - i)
        for i in range(len(values))
        for j in range(i + 1, len(values))
    ]
    step = median(slopes)
    middle = median(value - number * step for number, value in enumerate(values))
    made = _Trend(grows=grows, last=middle + (len(values) - 1) * step, step=step, doubt=0.0)
    doubt = max(abs(each - made.at(n - len(left) + 1)) for n, each in enumerate(left))
    return replace(made, doubt=doubt if doubt >= 1 else 0.0)


# -- archive lag, and a restore that takes longer and longer --------------------------------------


def forecast_rpo(
    wanted_seconds: float, exposed: ExposureFacts, waits: bool, now: datetime
) -> Breach | None:
    """While segments wait and the archiver is slower than the writer, exposure grows with time."""
    if exposed.seconds is None:
        return None
    if exposed.seconds > wanted_seconds:
        at = now - timedelta(seconds=exposed.seconds - wanted_seconds)
        basis = tr("{time} are not archived", time=timed(exposed.seconds))
        return Breach(goal="rpo", at=at, basis=basis)
    written, archived = exposed.written_per_second, exposed.archived_per_second
    if not waits or not written or archived is None or archived >= written:
        return None
    left = timedelta(seconds=(wanted_seconds - exposed.seconds) / (1 - archived / written))
    if left > _RPO_HORIZON:
        return None
    return Breach(
        goal="rpo",
        at=now + left,
        basis=tr(
            "{written}/s are written and {archived}/s archived",
            written=sized(written),
            archived=sized(archived),
        ),
    )


def forecast_rto(
    wanted_seconds: float,
    estimate: RestoreEstimateFacts,
    rate: WalRate | None,
    habit: Habit | None,
    now: datetime,
) -> Breach | None:
    """A restore takes longer with all WAL that is written; the next backup begins it anew."""
    over = (estimate.seconds - wanted_seconds) * estimate.bytes_per_second
    if rate is None:
        return Breach(goal="rto", at=None, basis=estimate.basis) if over > 0 else None
    at = rate.until - timedelta(seconds=over / rate.bytes_per_second)
    if over <= 0:
        if not rate.supports((at - rate.until).total_seconds()):
            return None
        if habit is not None and at > habit.next_at and not habit.is_missed(now):
            return None
    return Breach(
        goal="rto",
        at=at,
        basis=tr(
            "{rate}/s of WAL over {time}, replayed at {speed}/s; {basis}",
            rate=sized(rate.bytes_per_second),
            time=timed(rate.seen_seconds),
            speed=sized(estimate.bytes_per_second),
            basis=estimate.basis,
        ),
    )


# -- growth ---------------------------------------------------------------------------------------


def forecast_space(
    needed_bytes: int, held_bytes: int, free_bytes: int, stored_rate: WalRate
) -> Breach | None:
    """When the archive's file system is full, where what the goal needs has no room in it."""
    if needed_bytes <= held_bytes + free_bytes:
        return None
    seconds = free_bytes / stored_rate.bytes_per_second
    if not stored_rate.supports(seconds):
        return None
    return Breach(
        goal="space",
        at=stored_rate.until + timedelta(seconds=seconds),
        basis=tr(
            "the goal needs {needed} of WAL, {held} are there and {free} free; it grows by "
            "{rate}/s, by {time}",
            needed=sized(needed_bytes),
            held=sized(held_bytes),
            free=sized(free_bytes),
            rate=sized(stored_rate.bytes_per_second),
            time=timed(stored_rate.seen_seconds),
        ),
    )


def _gaps(ordered: Sequence[datetime]) -> Iterator[float]:
    for sooner, later in pairwise(ordered):
        yield (later - sooner).total_seconds()


def _is_steady(values: Sequence[float]) -> bool:
    """Whether they differ by no more than a part of what they are."""
    return bool(values) and max(values) - min(values) <= _REGULAR * median(values)


def _at(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M %Z}"
