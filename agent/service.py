"""The agent as a whole: the watched clusters, their schedule, and the web server, in one loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable
from functools import partial
from typing import Final

from agent.config import ClusterConfig, Config
from agent.ledger.store import Ledger
from agent.pollers.registry import Lane
from agent.scheduler import Schedule
from agent.watched import WatchedCluster
from agent.web.server import WebServer
from rules.check import hold_for, load_catalogue

log: Final = logging.getLogger("pitr.service")


class Service:
    """Built from a configuration; `run` returns after SIGTERM or SIGINT."""

    def __init__(self, config: Config, *, listen_address: str, telemetry_path: str) -> None:
        checks = load_catalogue()
        if config.alerts.hold is not None:
            checks = hold_for(checks, config.alerts.hold)
        self._ledger = Ledger(str(config.ledger), log.warning) if config.ledger else None
        self.clusters = [
            WatchedCluster(cluster, checks, ledger=self._ledger) for cluster in config.resolved()
        ]
        self._web = WebServer(self.clusters, listen_address, telemetry_path)

    async def run(self, on_ready: Callable[[str], None] = lambda url: None) -> None:
        """Serve until told to stop. `on_ready` gets the base URL once it is served.

        Raises OSError when the address cannot be listened on.
        """
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        schedule = Schedule()
        for cluster in self.clusters:
            plan_jobs(schedule, cluster)
        async with self._web.serving() as url:
            on_ready(url)
            running = asyncio.create_task(schedule.run())
            await stopped.wait()
            log.info("stopping")
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
        for cluster in self.clusters:
            cluster.close()
        if self._ledger is not None:
            self._ledger.close()


def plan_jobs(schedule: Schedule, cluster: WatchedCluster) -> None:
    """Put the readings of every source that this cluster has on the schedule."""
    config: ClusterConfig = cluster.config
    poll, scan = config.poll or 15.0, config.scan or 300.0
    if config.dsn:
        for lane in Lane:
            job = partial(cluster.poll_server, lane)
            schedule.every(poll, f"{cluster.name}/{lane.value}", job)
    if config.archives or config.backups:
        schedule.every(scan, f"{cluster.name}/scan", cluster.scan)
    if config.log:
        schedule.every(poll, f"{cluster.name}/log", cluster.read_log)
