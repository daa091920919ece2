"""The rounds of a cluster's jobs: when each last ended, and whether the next is overdue.

By the monotonic clock: the wall's may be set, forth and back. A job whose rounds do not come, or
do not end, leaves what it read long ago, and a verdict that rests on that is *unknown*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import field
from time import monotonic
from typing import Final

from parsers.values import dataclass

_ROUNDS: Final = 3  # that may fail to come


@dataclass(slots=True)
class _Job:
    interval_seconds: float
    ended: float  # monotonic; before the first round, when the cluster began to be watched
    duration_seconds: float = 0.0  # of the last round
    # The deadlines of the readings going on.
    until: list[Callable[[], float]] = field(default_factory=list)


class Rounds:
    """Those of one cluster, by the names of its jobs.

    A job is overdue when its last round ended longer ago than three times the longest of its
    interval, the last round's duration and `timeout_seconds`, which one answer may take; unless a
    reading of it goes on within its deadline.
    """

    def __init__(self, intervals: dict[str, float], timeout_seconds: float) -> None:
        now = monotonic()
        self._jobs = {name: _Job(seconds, now) for name, seconds in intervals.items()}
        self._timeout_seconds = timeout_seconds
        self.changes_count = 0  # of what puts off when a job is overdue

    @contextmanager
    def round(self, name: str) -> Iterator[None]:
        """One round, however it ends."""
        began = monotonic()
        try:
            yield
        finally:
            if job := self._jobs.get(name):
                job.ended = monotonic()
                job.duration_seconds = job.ended - began
                self.changes_count += 1

    @contextmanager
    def reading(
        self, name: str, deadline_seconds: float, began: Callable[[], float] | None = None
    ) -> Iterator[None]:
        """A reading of that job, which has a deadline of its own: from now on, or since `began`."""
        job, now = self._jobs.get(name), monotonic()
        if job is None:
            yield
            return

        def until() -> float:
            return (began() if began is not None else now) + deadline_seconds

        job.until.append(until)
        self.changes_count += 1
        try:
            yield
        finally:
            job.until.remove(until)
            self.changes_count += 1

    def overdue(self) -> dict[str, float]:
        """The jobs that are overdue, and how many seconds ago the last round of each ended."""
        now = monotonic()
        return {name: now - job.ended for name, job in self._jobs.items() if now > self._due(job)}

    def seconds_left(self) -> float | None:
        """Until the first of them is overdue, if nothing comes; None without a job."""
        due = min((self._due(job) for job in self._jobs.values()), default=None)
        return None if due is None else due - monotonic()

    def _due(self, job: _Job) -> float:
        longest = max(job.interval_seconds, job.duration_seconds, self._timeout_seconds)
        return max(job.ended + _ROUNDS * longest, *(until() for until in job.until), 0.0)
