"""The watched clusters of the running configuration, and what becomes of them when it changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from agent.config.model import ResolvedCluster
from agent.daemon.scheduler import Schedule
from agent.drill_schedule.queue import DrillQueue
from agent.monitor.jobs import SCAN, intervals
from agent.monitor.watched import WatchedCluster
from rules.drill.records import DrillsFacts
from rules.model.counted import counted
from rules.verdict.check import Check

log: Final = logging.getLogger("pitr.service")

DRILL: Final = "drill"  # the job's name, where one cannot even be begun

MakeCluster = Callable[[ResolvedCluster, Mapping[str, Check]], WatchedCluster]


class Clusters:
    """`all` is one list for as long as the agent runs: whoever shows the clusters holds it."""

    def __init__(self, schedule: Schedule, make: MakeCluster, drills: DrillQueue) -> None:
        self.all: list[WatchedCluster] = []
        self._schedule = schedule
        self._make = make
        self._drills = drills
        self._retiring: set[asyncio.Task[None]] = set()

    def apply(self, configured: Sequence[ResolvedCluster], checks: Mapping[str, Check]) -> str:
        """Watch these from now on; one whose configuration is the same stays as it is.

        Gives a line for the log.
        """
        before = {cluster.name: cluster for cluster in self.all}
        after = {config.name: config for config in configured}
        kept = {name for name in after if name in before and before[name].config == after[name]}
        # All are made before any is let go: what raises here leaves everything as it was.
        made = [
            before[name] if name in kept else self._make(config, checks)
            for name, config in after.items()
        ]
        for name in before.keys() - kept:
            self._retire(before[name])
        self._drills.configure(configured)
        self.all[:] = made
        for cluster in self.all:
            cluster.checks = checks
            if cluster.name not in kept:
                _take_drills(cluster, self._drills.facts(cluster.name))
                plan_jobs(self._schedule, cluster)
                self._plan_drills(cluster)
        changed = len(before.keys() & after.keys()) - len(kept)
        return (
            f"{counted(len(kept), 'cluster')} unchanged, {changed} changed, "
            f"{len(after.keys() - before.keys())} new, {len(before.keys() - after.keys())} gone"
        )

    def take_drills(self, name: str, drills: DrillsFacts) -> None:
        """Give a cluster its drills, if it is watched."""
        for cluster in self.all:
            if cluster.name == name:
                _take_drills(cluster, drills)

    def note_raised(self, name: str, error: Exception | None) -> None:
        """What became of making a cluster's drill, if it is watched; None: all went well."""
        for cluster in self.all:
            if cluster.name == name and cluster.jobs.note_raised(DRILL, error):
                cluster.judge()

    def _plan_drills(self, cluster: WatchedCluster) -> None:
        trigger = cluster.config.drill.trigger if cluster.config.drill else None
        if trigger is not None:
            job = partial(cluster.run, DRILL, partial(self._drills.ask, cluster.name))
            self._schedule.when(trigger, f"{_job_prefix(cluster)}drill", job)

    def stop(self) -> list[asyncio.Task[None]]:
        """Begin no reading any more. Gives those that are going on."""
        running = self._schedule.remove("")
        return running + [task for cluster in self.all for task in cluster.polling.going_on]

    def close(self) -> None:
        """Let go of every source."""
        for task in self._retiring:
            task.cancel()
        for cluster in self.all:
            cluster.close()

    def _retire(self, cluster: WatchedCluster) -> None:
        """No reading any more, no word to anybody; its sources are closed when the last ends."""
        cluster.mute()
        running = [*self._schedule.remove(_job_prefix(cluster)), *cluster.polling.going_on]
        task = asyncio.ensure_future(_close_after(running, cluster))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)


async def _close_after(running: Sequence[asyncio.Task[None]], cluster: WatchedCluster) -> None:
    if running:
        await asyncio.wait(running)
    cluster.close()


def _take_drills(cluster: WatchedCluster, drills: DrillsFacts | None) -> None:
    """Judge again with what the drills have shown; None: it is not drilled."""
    if drills is not None:
        cluster.observe(DrillsFacts, drills)
        cluster.judge()


def _job_prefix(cluster: WatchedCluster) -> str:
    """No other cluster's begins so: a name may hold anything printable, a slash too."""
    return f"{cluster.name}\n"


def plan_jobs(schedule: Schedule, cluster: WatchedCluster) -> None:
    """Put the readings of every source that this cluster has on the schedule."""
    prefix, config = _job_prefix(cluster), cluster.config
    if config.dsn or config.log:
        schedule.every(config.poll, f"{prefix}poll", cluster.poll)
    if SCAN in intervals(config):
        schedule.every(config.scan, f"{prefix}{SCAN}", cluster.scan)
