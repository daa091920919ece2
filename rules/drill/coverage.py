"""How much was looked at lately: the WAL that was read, the days of the window that drills hit.

A drill shows that one instant can be restored, with all WAL before it back to its backup. Its day
of the window counts as shown; days are counted back from the window's end.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import Final, NamedTuple

from parsers.values import dataclass
from rules.drill.records import DrillsFacts
from rules.model.evidence import KnownFacts, WindowsFacts
from rules.model.windows import Window

RECENT_DAYS: Final = 30
_DAY: Final = timedelta(days=1)
_DAYS_MAX: Final = 10_000  # a commit's time is what its server's clock said


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTimes:
    """When the archived segments were read last."""

    segments_count: int  # that the archives have
    read_at: Sequence[float]  # of those that were read: seconds since 1970, ascending


class TimeSpan(NamedTuple):
    """From one instant to another."""

    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowCoverage:
    """The window of the latest restorable instant, by days."""

    window: TimeSpan
    days: int
    drilled_days: int  # in which a drill that succeeded went to an instant
    never: tuple[TimeSpan, ...]  # where none did

    @property
    def drilled_share(self) -> float:
        return self.drilled_days / self.days


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingCoverage:
    """Both, as far as they are known."""

    segments_count: int | None  # None, as the two after it: nothing of the archive is known
    read_count: int | None  # read in the last RECENT_DAYS
    never_count: int | None  # never read
    oldest_read_at: float | None  # seconds since 1970; None: none was read
    drills: WindowCoverage | None  # None: no window with times, or drills are not known

    @property
    def read_share(self) -> float | None:
        """Of segments, which are all of one size, and so of bytes."""
        if not self.segments_count or self.read_count is None:
            return None
        return self.read_count / self.segments_count


def coverage_of(known: KnownFacts, now: datetime) -> ReadingCoverage:
    """What was covered as of `now`."""
    times, windows, drills = known.get(ReadTimes), known.get(WindowsFacts), known.get(DrillsFacts)
    read_count = never_count = oldest = None
    if times is not None:
        since = (now - RECENT_DAYS * _DAY).timestamp()
        read_count = len(times.read_at) - bisect_left(times.read_at, since)
        never_count = times.segments_count - len(times.read_at)
        oldest = times.read_at[0] if times.read_at else None
    latest = windows.latest if windows else None
    return ReadingCoverage(
        segments_count=times.segments_count if times else None,
        read_count=read_count,
        never_count=never_count,
        oldest_read_at=oldest,
        drills=_drilled(latest, drills) if latest and drills else None,
    )


def _drilled(window: Window, drills: DrillsFacts) -> WindowCoverage | None:
    begin, end = window.from_time, window.to_time
    if begin is None or end is None or not begin <= end:
        return None
    days = min(ceil((end - begin) / _DAY), _DAYS_MAX) or 1
    hit = {
        min((end - record.instant) // _DAY, days - 1)
        for record in drills.records
        if record.ran and record.succeeded and record.instant and begin <= record.instant <= end
    }
    return WindowCoverage(
        window=TimeSpan(begin, end),
        days=days,
        drilled_days=len(hit),
        never=tuple(_spans((day for day in range(days) if day not in hit), begin, end)),
    )


def _spans(days: Iterable[int], begin: datetime, end: datetime) -> list[TimeSpan]:
    """Days that follow each other as one, the oldest first."""
    found: list[TimeSpan] = []
    for day in sorted(days, reverse=True):
        span = TimeSpan(max(begin, end - (day + 1) * _DAY), end - day * _DAY)
        if found and found[-1].end == span.begin:
            span = TimeSpan(found.pop().begin, span.end)
        found.append(span)
    return found
