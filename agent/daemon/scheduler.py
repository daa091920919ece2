"""The schedule: APScheduler's jobs, and a watch over the clock that it trusts.

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

from apscheduler.job import Job
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.interval import IntervalTrigger

log: Final = logging.getLogger("pitr.scheduler")

_STEP_SECONDS: Final = 2.0  # a wall clock that moves this much against the monotonic one stepped
_SPREAD_SECONDS: Final = 0.2  # first runs of successive jobs start this far apart
_GOLDEN: Final = 0.618034  # multiples of it leave no large hole
_WATCH_SECONDS: Final = 1.0  # between two looks at the clock
_STANDSTILL_SECONDS: Final = 60.0


class Schedule:
    """Runs coroutines at intervals, or when a trigger is due.

    A late run is run, never skipped; none overlaps itself.
    `wall` is the clock that jobs are planned by, `monotonic` the one that it is held against.
    """

    def __init__(
        self,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        # A run that is still going on when the next is due is told by its collector's duration.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._wall, self._monotonic = wall, monotonic
        self._jobs_count = 0
        self._running: dict[str, asyncio.Task[None]] = {}
        self._looked_at = monotonic()

    @property
    def stands_still(self) -> bool:
        """Whether the clock was not read for so long that the loop itself was held up."""
        return self._monotonic() - self._looked_at > _STANDSTILL_SECONDS

    def every(self, seconds: float, name: str, job: Callable[[], Awaitable[None]]) -> None:
        """Run `job` soon and then every so many seconds; jobs are spread over their interval."""
        self._jobs_count += 1
        self._scheduler.add_job(
            self._run,
            IntervalTrigger(seconds=seconds, timezone=UTC),
            (name, job),
            id=name,
            next_run_time=self._slot(self._jobs_count - 1, seconds),
        )

    def when(self, trigger: BaseTrigger, name: str, job: Callable[[], Awaitable[None]]) -> None:
        """Run `job` whenever the trigger is due."""
        self._scheduler.add_job(self._run, trigger, (name, job), id=name)

    def remove(self, prefix: str) -> list[asyncio.Task[None]]:
        """Run the jobs whose names begin so no more. Gives those that are running just now."""
        for job in self._scheduler.get_jobs():
            if job.id.startswith(prefix):
                job.remove()
        return [task for name, task in self._running.items() if name.startswith(prefix)]

    async def run(self) -> None:
        """Run until cancelled."""
        self._scheduler.start()
        try:
            await self._watch_the_clock()
        finally:
            # It cancels what runs, and would report each as an error.
            logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
            self._scheduler.shutdown(wait=False)

    async def _run(self, name: str, job: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running[name] = task
        try:
            await job()
        except Exception:  # a job says by itself what went wrong; this is a bug, and ends nothing
            log.exception("%s: unexpected", name)
        finally:
            if self._running.get(name) is task:
                del self._running[name]

    def _slot(self, number: int, seconds: float) -> datetime:
        """When the job of this number runs first: all intervals are filled evenly.

        What goes once more around the interval lies between what is there.
        """
        rounds, after = divmod(number * _SPREAD_SECONDS, seconds)
        between = rounds * _GOLDEN % 1 * _SPREAD_SECONDS
        return datetime.now(UTC) + timedelta(seconds=(after + between) % seconds)

    async def _watch_the_clock(self) -> None:
        offset = self._wall() - self._monotonic()
        while True:
            self._looked_at = self._monotonic()
            await asyncio.sleep(_WATCH_SECONDS)
            now_offset = self._wall() - self._monotonic()
            if abs(now_offset - offset) > _STEP_SECONDS:
                log.warning("the clock stepped by %+.1f s: replanning", now_offset - offset)
                for number, job in enumerate(self._scheduler.get_jobs()):
                    job.modify(next_run_time=self._replan(number, job))
            offset = now_offset

    def _replan(self, number: int, job: Job) -> datetime | None:
        """An interval restarts. What is due at an hour is due then by the new clock.

        A run that the clock was moved over is made now; one that comes a second time is made twice
        rather than never, as after a clock that was a year ahead.
        """
        if isinstance(job.trigger, IntervalTrigger):
            return self._slot(number, job.trigger.interval.total_seconds())
        now = datetime.fromtimestamp(self._wall(), UTC)
        if job.next_run_time is not None and job.next_run_time <= now:
            return datetime.now(UTC)
        times = (job.next_run_time, job.trigger.get_next_fire_time(None, now))
        return min((at for at in times if at is not None), default=None)
