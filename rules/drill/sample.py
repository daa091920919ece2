"""A random instant to drill: over time every part of the restorable window is tried.

The next instant lies, by chance, in the longest stretch that no drill has gone to yet (Kakutani's
interval splitting: the instants spread evenly, and no part of the window is left out for long,
also where it moves on between two drills). From there the nearest transaction is the target: by
its time, its LSN, its xid, or by the name of a restore point in that stretch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Final, NamedTuple

from parsers.wal.facts import POSTGRES_EPOCH, Transaction, Transactions, instant
from rules.model.goal import Goal
from rules.model.scans import Scans, units_of
from rules.model.windows import Window

_KINDS: Final = ("time", "time", "lsn", "xid", "name")  # a time is what people ask for
_INCLUSIVE: Final = 0.75


class UndrilledStretch(NamedTuple):
    """What lies between two drills, or between one and an end of the window."""

    begin: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        return self.end - self.begin


def sample_goals(
    windows: Iterable[Window], scans: Scans, drilled: Iterable[datetime], random: Random
) -> list[Goal]:
    """Targets for one random instant, each as good as the first; empty without a window in time.

    `drilled` are the instants that drills went to before: commit times. A later target is for when
    the predictor does not call the one before it reachable.
    """
    timed = [window for window in windows if _span(window) is not None]
    before = frozenset(drilled)
    for untried in find_untried(_spans(timed), before, random):
        moment = untried.begin + untried.length * random.random()
        for window in _holding(timed, moment, random):
            transaction = _nearest(window, scans, moment, untried, before)
            if transaction is not None:
                return _goals(window, scans, transaction, untried, random)
    return sample_goals(timed, scans, (), random) if before else []


def find_untried(
    spans: Iterable[UndrilledStretch], drilled: Iterable[datetime], random: Random
) -> list[UndrilledStretch]:
    """The stretches of these spans without a drill in them, the longest first.

    The spans do not overlap. In a stretch there may be nothing to go to: an idle night.
    """
    before = sorted(drilled)
    untried = [piece for span in spans for piece in _cut(span, before)]
    random.shuffle(untried)
    return sorted(untried, key=lambda piece: piece.length, reverse=True)


def _cut(span: UndrilledStretch, drilled: Sequence[datetime]) -> Iterator[UndrilledStretch]:
    ends = [span.begin, *(at for at in drilled if span.begin < at < span.end), span.end]
    return (UndrilledStretch(begin, end) for begin, end in pairwise(ends))


def _spans(windows: Iterable[Window]) -> list[UndrilledStretch]:
    """The windows as stretches of time, those that touch in one."""
    joined: list[UndrilledStretch] = []
    for span in sorted(span for window in windows if (span := _span(window)) is not None):
        if joined and span.begin <= joined[-1].end:
            last = joined.pop()
            joined.append(UndrilledStretch(last.begin, max(last.end, span.end)))
        else:
            joined.append(span)
    return joined


def _span(window: Window) -> UndrilledStretch | None:
    """None where nothing was committed, or the records were not read."""
    if window.from_time is None or window.to_time is None:
        return None
    return UndrilledStretch(min(window.from_time, window.to_time), window.to_time)


def _holding(windows: Sequence[Window], moment: datetime, random: Random) -> list[Window]:
    """Those that hold the moment, in random order: each timeline has the same chance."""
    holding = [w for w in windows if (s := _span(w)) is not None and s.begin <= moment <= s.end]
    rank = {timeline: random.random() for timeline in sorted({w.timeline for w in holding})}
    return sorted(holding, key=lambda window: (rank[window.timeline], random.random()))


# -- what the WAL has there ------------------------------------------------------------------------


def _nearest(
    window: Window,
    scans: Scans,
    moment: datetime,
    untried: UndrilledStretch,
    drilled: Collection[datetime],
) -> Transaction | None:
    """The transaction of a stretch whose time is nearest to the moment."""
    begin, end, wanted = _us(untried.begin), _us(untried.end), _us(moment)
    before = {_us(at) for at in drilled}
    best, best_distance = None, None
    for transactions in _transactions(window, scans):
        times = transactions.times_us
        outside = max(times[0] - wanted, wanted - times[-1], 0)
        if best_distance is not None and outside >= best_distance:
            continue
        for row, time_us in enumerate(times):
            distance = abs(time_us - wanted)
            if (
                begin <= time_us <= end
                and (best_distance is None or distance < best_distance)
                and time_us not in before
            ):
                best, best_distance = transactions[row], distance
    return best


def _us(at: datetime) -> int:
    return round((at - POSTGRES_EPOCH) / timedelta(microseconds=1))


def _transactions(window: Window, scans: Scans) -> Iterator[Transactions]:
    """Those of each segment or stretch that has any inside the window."""
    names = [name for name in window.segments if name in scans]
    for unit in units_of(names, scans):
        found = unit.scan.facts.transactions
        if found and (found.lsns[0] < window.from_lsn or found.lsns[-1] >= window.to_lsn):
            found = found.from_lsn(window.from_lsn).before(window.to_lsn)
        if found:
            yield found


def _goals(
    window: Window,
    scans: Scans,
    transaction: Transaction,
    untried: UndrilledStretch,
    random: Random,
) -> list[Goal]:
    """Ways to ask for the state right after the transaction, or, exclusive, right before it."""
    kinds = [random.choice(_KINDS), "time", "lsn"]
    common = Goal(timeline=window.timeline, inclusive=random.random() < _INCLUSIVE)
    names = _names(window, scans, untried) if kinds[0] == "name" else []
    name = random.choice(names) if names else None
    goals = [_goal(kind, transaction, name, common) for kind in dict.fromkeys(kinds)]
    return [goal for goal in goals if goal is not None]


def _goal(kind: str, transaction: Transaction, name: str | None, common: Goal) -> Goal | None:
    """None where there is none of that kind."""
    match kind:
        case "time":
            return replace(common, type="time", time_us=transaction.time_us)
        case "lsn":
            return replace(common, type="lsn", lsn=transaction.end_lsn)
        case "xid" if transaction.xid:
            return replace(common, type="xid", xid=transaction.xid)
        case "name" if name is not None:
            return replace(common, type="name", name=name, inclusive=True)
    return None


def _names(window: Window, scans: Scans, untried: UndrilledStretch) -> list[str]:
    """The restore points of a stretch."""
    names = [name for name in window.segments if name in scans]
    return [
        point.name
        for unit in units_of(names, scans)
        for point in unit.scan.facts.restore_points
        if window.from_lsn <= point.lsn < window.to_lsn
        and untried.begin <= instant(point.time_us) <= untried.end
    ]
