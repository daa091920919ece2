"""The readings of one cluster's sources: each taken within its deadline, the last of each kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from typing import Final, TypeVar

from agent.config.model import ResolvedCluster
from agent.deadline import Worker
from agent.monitor.explain import explain
from agent.monitor.jobs import JOB_OF, SCAN
from agent.monitor.reading import Reading
from agent.monitor.rounds import Rounds
from agent.monitor.sources import failing_sources, log_changes
from agent.pollers.lane import ServerLane, is_unreachable
from agent.pollers.registry import POLLERS_OF, Lane, Poller

T = TypeVar("T")

_SOURCES: Final = ("archive", "backups", "derived", "log")


class Collectors:
    """A thread for each source, and a connection and a thread for each lane of the server."""

    def __init__(
        self, config: ResolvedCluster, rounds: Rounds, on_change: Callable[[], None]
    ) -> None:
        self.readings: dict[str, Reading] = {}
        self.begun: dict[str, float] = {}  # monotonic: when the last reading of each began
        self._cluster = config.name
        self._timeout_seconds = config.timeout
        self._rounds = rounds
        self._on_change = on_change
        self._lanes = {
            lane: (ServerLane(config.dsn, config.timeout), Worker(f"{config.name}/{lane.value}"))
            for lane in Lane
            if config.dsn
        }
        self._workers = {source: Worker(f"{config.name}/{source}") for source in _SOURCES}

    async def poll(self, lane: Lane) -> list[tuple[Poller, object | None]]:
        """Ask all pollers of a lane, one after the other; None for each that failed."""
        pollers, (connection, worker) = POLLERS_OF[lane], self._lanes[lane]
        names = [poller.name for poller in pollers]
        reads = [
            partial(self._kept, name, read)
            for name, read in zip(names, connection.round(pollers), strict=True)
        ]
        taken = await self._take(names, worker, reads, self._timeout_seconds)
        return list(zip(pollers, taken, strict=True))

    def _kept(self, collector: str, read: Callable[[], T]) -> T:
        """What is read; the object of the reading before where it is equal.

        What was worked out of that need not be worked out again.
        """
        facts, before = read(), self.readings.get(collector)
        return before.facts if before is not None and before.facts == facts else facts

    async def read(
        self,
        collector: str,
        read: Callable[[], T],
        *,
        source: str = "",
        deadline_seconds: float | None = None,
    ) -> T | None:
        """Read in the thread of the source (the collector's own, unless named).

        Within the cluster's `timeout`, unless given another deadline. None when it failed.
        """
        worker = self._workers[source or collector]
        deadline = deadline_seconds or self._timeout_seconds
        (taken,) = await self._take((collector,), worker, (read,), deadline)
        return taken

    async def _take(
        self,
        collectors: Sequence[str],
        worker: Worker,
        reads: Sequence[Callable[[], T]],
        deadline_seconds: float,
    ) -> list[T | None]:
        """One reading of each, by one job. The boundary of a job: what fails is *unknown*."""
        job = JOB_OF.get(collectors[0], SCAN)
        with self.reading(job, deadline_seconds, lambda: worker.began):
            outcomes = await worker.run_each(deadline_seconds, reads)
        before: Mapping[str, str] = failing_sources(self.readings)
        now, now_monotonic = datetime.now(UTC), monotonic()
        for collector, outcome in zip(collectors, outcomes, strict=True):
            failure = outcome.error
            self.begun[collector] = outcome.began
            self.readings[collector] = Reading(
                collector=collector,
                started_at=now - timedelta(seconds=now_monotonic - outcome.began),
                duration_seconds=outcome.seconds,
                facts=outcome.result,
                error=explain(failure) if failure else None,
                unreachable=failure is not None and is_unreachable(failure),
            )
            if failure is not None:  # it and its frames would hold each other
                failure.__traceback__ = None
        self._on_change()
        log_changes(self._cluster, before, self.readings)
        return [outcome.result for outcome in outcomes]

    def reading(
        self, job: str, deadline_seconds: float, began: Callable[[], float] | None = None
    ) -> AbstractContextManager[None]:
        """A reading that goes on puts off when its job is overdue: others see that."""
        if job == SCAN:
            self._on_change()
        return self._rounds.reading(job, deadline_seconds, began)

    def close(self) -> None:
        for connection, worker in self._lanes.values():
            if not worker.hangs:
                connection.close()
