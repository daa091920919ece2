"""The readings of one cluster's sources: each taken within its deadline, the last of each kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
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
from agent.pollers.registry import Lane, Poller

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

    async def poll(self, poller: Poller) -> object | None:
        """Ask the server; None when it failed."""
        connection, worker = self._lanes[poller.lane]
        return await self._take(
            poller.name, worker, lambda: connection.poll(poller), self._timeout_seconds
        )

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
        return await self._take(collector, worker, read, deadline_seconds or self._timeout_seconds)

    async def _take(
        self, collector: str, worker: Worker, read: Callable[[], T], deadline_seconds: float
    ) -> T | None:
        started_at, started = datetime.now(UTC), monotonic()
        self.begun[collector] = started
        result, error, unreachable = None, None, False
        try:
            with self.reading(JOB_OF.get(collector, SCAN), deadline_seconds):
                result = await worker.run(deadline_seconds, read)
        except Exception as failure:  # the boundary of a job: everything becomes "unknown"
            error, unreachable = explain(failure), is_unreachable(failure)
        before: Mapping[str, str] = failing_sources(self.readings)
        self.readings[collector] = Reading(
            collector=collector,
            started_at=started_at,
            duration_seconds=monotonic() - started,
            facts=result,
            error=error,
            unreachable=unreachable,
        )
        self._on_change()
        log_changes(self._cluster, before, self.readings)
        return result

    def reading(self, job: str, deadline_seconds: float) -> AbstractContextManager[None]:
        """A reading that goes on puts off when its job is overdue: others see that."""
        if job == SCAN:
            self._on_change()
        return self._rounds.reading(job, deadline_seconds)

    def close(self) -> None:
        for connection, worker in self._lanes.values():
            if not worker.hangs:
                connection.close()
