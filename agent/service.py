"""The agent as a whole: the watched clusters, their schedule, and the web server, in one loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from agent.config import ClusterConfig, Config
from agent.notify.memory import AlertMemory
from agent.notify.notifier import Notifier
from agent.notify.registry import make_receivers
from agent.own_metrics import OwnCollector
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
        self._memory = AlertMemory(alerts_file(config))
        self._notifier = Notifier(
            self._memory, checks, make_receivers(config.alerts.notify), config.alerts.runbooks_url
        )
        self.clusters = [
            WatchedCluster(
                cluster,
                checks,
                alerts=self._memory.alerts_of(cluster.name),
                on_alerts=self._notifier.advanced,
            )
            for cluster in config.resolved()
        ]
        self._notifier.forget_clusters_but({cluster.name for cluster in self.clusters})
        if config.alerts.notify and not self._memory.lasts:
            log.warning("alerts are kept in memory only: name a file with `ledger:`")
        own = OwnCollector(self._notifier)
        self._web = WebServer(self.clusters, listen_address, telemetry_path, (own,))

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
            running = asyncio.gather(schedule.run(), self._notifier.run())
            await stopped.wait()
            log.info("stopping")
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
        for cluster in self.clusters:
            cluster.close()
        self._notifier.close()
        self._memory.close()


def alerts_file(config: Config) -> Path | None:
    """Where alerts outlive the agent: beside the ledger, None without one."""
    ledger = config.ledger
    return ledger.with_name(f"{ledger.stem}-alerts.sqlite") if ledger is not None else None


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
