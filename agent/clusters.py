"""The watched clusters of the running configuration, and what becomes of them when it changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from agent.config import ClusterConfig
from agent.drill_schedule.queue import DrillQueue
from agent.pollers.registry import Lane
from agent.scheduler import Schedule
from agent.watched import WatchedCluster
from rules.check import Check
from rules.drills import DrillsFacts

log: Final = logging.getLogger("pitr.service")

MakeCluster = Callable[[ClusterConfig, Mapping[str, Check]], WatchedCluster]


class Clusters:
    """`all` is one list for as long as the agent runs: whoever shows the clusters holds it."""

    def __init__(self, schedule: Schedule, make: MakeCluster, drills: DrillQueue) -> None:
        self.all: list[WatchedCluster] = []
        self._schedule = schedule
        self._make = make
        self._drills = drills
        self._retiring: set[asyncio.Task[None]] = set()

    def apply(self, configured: Sequence[ClusterConfig], checks: Mapping[str, Check]) -> str:
        """Watch these from now on; one whose configuration is the same stays as it is.

        Gives a line for the log.
        """
        self._drills.configure(configured)
        before = {cluster.name: cluster for cluster in self.all}
        after = {config.name: config for config in configured}
        kept = {name for name in after if name in before and before[name].config == after[name]}
        for name in before.keys() - kept:
            self._retire(before[name])
        self.all[:] = [
            before[name] if name in kept else self._make(config, checks)
            for name, config in after.items()
        ]
        for cluster in self.all:
            cluster.checks = checks
            if cluster.name not in kept:
                cluster.take_drills(self._drills.facts(cluster.name))
                plan_jobs(self._schedule, cluster)
                self._plan_drills(cluster)
        changed = len(before.keys() & after.keys()) - len(kept)
        return (
            f"{len(kept)} cluster(s) unchanged, {changed} changed, "
            f"{len(after.keys() - before.keys())} new, {len(before.keys() - after.keys())} gone"
        )

    def take_drills(self, name: str, drills: DrillsFacts) -> None:
        """Give a cluster its drills, if it is watched."""
        for cluster in self.all:
            if cluster.name == name:
                cluster.take_drills(drills)

    def _plan_drills(self, cluster: WatchedCluster) -> None:
        trigger = cluster.config.drill.trigger if cluster.config.drill else None
        if trigger is not None:
            job = partial(self._drills.ask, cluster.name)
            self._schedule.when(trigger, f"{_job_prefix(cluster)}drill", job)

    def close(self) -> None:
        """Let go of every source."""
        for task in self._retiring:
            task.cancel()
        for cluster in self.all:
            cluster.close()

    def _retire(self, cluster: WatchedCluster) -> None:
        """No reading any more, no word to anybody; its sources are closed when the last ends."""
        cluster.mute()
        running = self._schedule.remove(_job_prefix(cluster))
        task = asyncio.ensure_future(_close_after(running, cluster))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)


async def _close_after(running: Sequence[asyncio.Task[None]], cluster: WatchedCluster) -> None:
    if running:
        await asyncio.wait(running)
    cluster.close()


def _job_prefix(cluster: WatchedCluster) -> str:
    """No other cluster's begins so: a name may hold anything printable, a slash too."""
    return f"{cluster.name}\n"


def plan_jobs(schedule: Schedule, cluster: WatchedCluster) -> None:
    """Put the readings of every source that this cluster has on the schedule."""
    config: ClusterConfig = cluster.config
    prefix, poll, scan = _job_prefix(cluster), config.poll or 15.0, config.scan or 300.0
    if config.dsn:
        for lane in Lane:
            schedule.every(poll, f"{prefix}{lane.value}", partial(cluster.poll_server, lane))
    if config.archives or config.backups:
        schedule.every(scan, f"{prefix}scan", cluster.scan)
    if config.log:
        schedule.every(poll, f"{prefix}log", cluster.read_log)
