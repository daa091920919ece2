"""One poll of a cluster: its server's lanes and its log, asked side by side and judged together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from agent.config.model import ResolvedCluster
from agent.monitor.jobs import LOG, Jobs
from agent.monitor.readers import Readers
from agent.pollers.registry import Lane

__all__ = ["Lane", "Polling"]

_TOGETHER_SECONDS: Final = 1.0


class Polling:
    """What is being asked. `judge` is called when all have answered, or some a moment ago."""

    def __init__(
        self, config: ResolvedCluster, jobs: Jobs, readers: Readers, judge: Callable[[], None]
    ) -> None:
        self.going_on: set[asyncio.Task[None]] = set()  # by job
        self._jobs = jobs
        self._judge = judge
        self._later: asyncio.TimerHandle | None = None  # when judging is put off for a moment
        self._work: dict[str, Callable[[], Awaitable[None]]] = {}
        if config.dsn:
            self._work |= {lane.value: partial(readers.poll_server, lane) for lane in Lane}
        if config.log:
            self._work[LOG] = readers.read_log

    def begin(self) -> None:
        """Ask all; what has not ended since the last time goes on, and is not asked again."""
        names = {task.get_name() for task in self.going_on}
        for job, work in self._work.items():
            if job not in names:
                task = asyncio.create_task(self._jobs.run(job, work), name=job)
                self.going_on.add(task)
                task.add_done_callback(self._answered)

    def judged(self) -> None:
        """A judgement that was put off needs not be made any more."""
        if self._later is not None:
            self._later.cancel()
            self._later = None

    def _answered(self, task: asyncio.Task[None]) -> None:
        """No answer waits for one that hangs."""
        self.going_on.discard(task)
        if task.cancelled():
            return
        if not self.going_on:
            self._judge()
        elif self._later is None:
            self._later = task.get_loop().call_later(_TOGETHER_SECONDS, self._judge)
