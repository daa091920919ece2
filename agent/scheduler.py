"""The schedule: APScheduler's interval jobs, and a watch over the clock that it trusts.

APScheduler 3 plans by the wall clock. A clock set back by an hour would silence a job for that
hour; so the drift between wall and monotonic time is watched, and a step replans every job.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

log: Final = logging.getLogger("pitr.scheduler")

_STEP_SECONDS: Final = 2.0  # a wall clock that moves this much against the monotonic one stepped
_SPREAD_SECONDS: Final = 0.2  # first runs of successive jobs start this far apart


class Schedule:
    """Runs coroutines at intervals. A late run is run, never skipped; none overlaps itself."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        # A run that is still going on when the next is due is told by its collector's duration.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._jobs_count = 0

    def every(self, seconds: float, name: str, job: Callable[[], Awaitable[None]]) -> None:
        """Run `job` now (spread over the other jobs) and then every so many seconds."""
        delay = timedelta(seconds=min(self._jobs_count * _SPREAD_SECONDS, seconds))
        self._jobs_count += 1
        self._scheduler.add_job(
            job,
            IntervalTrigger(seconds=seconds, timezone=UTC),
            id=name,
            next_run_time=datetime.now(UTC) + delay,
        )

    async def run(self) -> None:
        """Run until cancelled."""
        self._scheduler.start()
        try:
            await self._watch_the_clock()
        finally:
            self._scheduler.shutdown(wait=False)

    async def _watch_the_clock(self) -> None:
        offset = time.time() - time.monotonic()
        while True:
            await asyncio.sleep(1)
            now_offset = time.time() - time.monotonic()
            if abs(now_offset - offset) > _STEP_SECONDS:
                log.warning("the clock stepped by %+.1f s: replanning", now_offset - offset)
                for job in self._scheduler.get_jobs():
                    job.modify(next_run_time=datetime.now(UTC))
            offset = now_offset
