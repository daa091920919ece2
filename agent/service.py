"""The agent as a whole: the watched clusters, their schedule, and the web server, in one loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from agent.clusters import Clusters
from agent.config import ClusterConfig, Config
from agent.config_file import ConfigError
from agent.drill_schedule.history import DrillHistory
from agent.drill_schedule.queue import DrillQueue
from agent.late import is_late
from agent.ledger.store import Ledger
from agent.notify.memory import AlertMemory
from agent.notify.notifier import Notifier
from agent.own_metrics import OwnCollector, Reloads
from agent.scheduler import Schedule
from agent.systemd import ALIVE, READY, STOPPING, reloading, tell_systemd, watchdog_seconds
from agent.watched import WatchedCluster
from agent.web.config import WebConfig
from agent.web.server import WebServer
from rules.alert_state import Alerts
from rules.check import Check, hold_for, load_catalogue

log: Final = logging.getLogger("pitr.service")

_TRAILS_SECONDS: Final = 60.0  # how often what is exposed since when is written down


class Service:
    """Built from a configuration; `run` returns after SIGTERM or SIGINT.

    On SIGHUP `load` is asked for the configuration again. If it raises ConfigError, or the new one
    cannot be used, what runs goes on.
    """

    def __init__(
        self,
        config: Config,
        load: Callable[[], tuple[Config, WebConfig]],
        web: WebConfig,
        *,
        listen_address: str,
        telemetry_path: str,
    ) -> None:
        self._config = config
        self._load = load
        self._memory = AlertMemory(beside_ledger(config, "alerts"))
        self._history = DrillHistory(beside_ledger(config, "drills"))
        self._ledger = Ledger(str(config.ledger), log.warning) if config.ledger else None
        self._schedule = Schedule()
        self._drills = DrillQueue(
            self._history,
            config.ledger,
            lambda name, drills: self._clusters.take_drills(name, drills),
        )
        self._clusters = Clusters(self._schedule, self._make_cluster, self._drills)
        self._notifier = Notifier(self._memory)
        self._reloads = Reloads()
        own = OwnCollector(self._notifier, self._reloads)
        self._web = WebServer(self._clusters.all, listen_address, telemetry_path, (own,), web)

    async def run(self, on_ready: Callable[[str], None] = lambda url: None) -> None:
        """Serve until told to stop. `on_ready` gets the base URL once it is served.

        Raises OSError when the address cannot be listened on.
        """
        stopped, reload = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        loop.add_signal_handler(signal.SIGHUP, reload.set)
        async with self._web.serving() as url:
            self._apply(self._config)
            if self._config.alerts.notify and not self._memory.lasts:
                log.warning("alerts are kept in memory only: name a file with `ledger:`")
            drilled = any(cluster.config.drill for cluster in self._clusters.all)
            if drilled and not self._history.lasts:
                log.warning("drills are remembered in memory only: name a file with `ledger:`")
            on_ready(url)
            tell_systemd(READY, self._status())
            drilling = asyncio.create_task(self._drills.run())
            running = asyncio.gather(
                self._schedule.run(),
                self._notifier.run(),
                self._reload_when(reload),
                self._keep_trails(),
                self._feed_watchdog(),
                drilling,
            )
            running.add_done_callback(lambda _: stopped.set())
            await stopped.wait()
            if running.done():  # it never ends by itself but with what nobody foresaw
                running.result()
            log.info("stopping")
            tell_systemd(STOPPING)
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            self._remember_trails()
            self._memory.save()
            await asyncio.wait([drilling])  # one that is made just now removes what it restored
        self._clusters.close()
        self._notifier.close()
        self._memory.close()
        self._history.close()
        if self._ledger is not None:
            self._ledger.close()

    async def _feed_watchdog(self) -> None:
        """Say that the agent lives, for as long as its schedule does."""
        seconds = watchdog_seconds()
        while seconds is not None:
            if not all(map(is_late, self._clusters.all)):
                tell_systemd(ALIVE)
            await asyncio.sleep(seconds)

    def _status(self) -> str:
        return f"STATUS=watching {len(self._clusters.all)} cluster(s)"

    async def _keep_trails(self) -> None:
        while True:
            await asyncio.sleep(_TRAILS_SECONDS)
            self._remember_trails()

    def _remember_trails(self) -> None:
        for cluster in self._clusters.all:
            if (trail := cluster.kept_trail) is not None:
                self._memory.keep_trail(cluster.name, trail)

    async def _reload_when(self, asked: asyncio.Event) -> None:
        while True:
            await asked.wait()
            asked.clear()
            tell_systemd(*reloading())
            try:
                config, web = await asyncio.to_thread(self._load)
                self._web.use(web)
            except (ConfigError, OSError) as error:
                for line in str(error).splitlines():
                    log.error("the configuration is not reloaded: %s", line)
                self._reloads.failed()
            else:
                if config.ledger != self._config.ledger:
                    log.warning("`ledger` takes effect at the next start")
                log.info("the configuration is reloaded: %s", self._apply(config))
                self._reloads.succeeded()
            tell_systemd(READY, self._status())

    def _apply(self, config: Config) -> str:
        checks = load_catalogue()
        if config.alerts.hold is not None:
            checks = hold_for(checks, config.alerts.hold)
        self._config = config
        self._remember_trails()  # a cluster that changed is built anew
        self._notifier.configure(config.alerts, checks)
        what_changed = self._clusters.apply(config.resolved(), checks)
        self._notifier.forget_clusters_but({cluster.name for cluster in config.clusters})
        return what_changed

    def _make_cluster(self, config: ClusterConfig, checks: Mapping[str, Check]) -> WatchedCluster:
        alerts: Alerts = self._memory.alerts_of(config.name)
        return WatchedCluster(
            config,
            checks,
            alerts=alerts,
            trail=self._memory.trail_of(config.name),
            on_alerts=self._notifier.advanced,
            ledger=self._ledger,
        )


def beside_ledger(config: Config, what: str) -> Path | None:
    """Where what is no cache outlives the agent: beside the ledger, None without one."""
    ledger = config.ledger
    return ledger.with_name(f"{ledger.stem}-{what}.sqlite") if ledger is not None else None
