"""The agent as a whole: the watched clusters, their schedule, and the web server, in one loop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final

from agent.config.beside import beside_ledger
from agent.config.file import ConfigError
from agent.config.model import Config, ResolvedCluster
from agent.daemon.allocation import allocate_together, give_back
from agent.daemon.clusters import Clusters
from agent.daemon.crash_marker import CrashMarker
from agent.daemon.evidence_keeper import EvidenceKeeper
from agent.daemon.own_metrics import OwnCollector, Reloads
from agent.daemon.scheduler import Schedule
from agent.daemon.systemd import (
    ALIVE,
    READY,
    STOPPING,
    reloading,
    tell_systemd,
    watchdog_seconds,
)
from agent.drill_schedule.history import DrillHistory
from agent.drill_schedule.queue import DrillQueue
from agent.language import speak
from agent.ledger.store import Ledger
from agent.monitor.late import is_late
from agent.monitor.over_time import OverTime
from agent.monitor.watched import WatchedCluster
from agent.notify.memory import AlertMemory
from agent.notify.notifier import Notifier
from agent.web.acquainted import Acquainted
from agent.web.config import WebConfig
from agent.web.refusals import Refusals
from agent.web.server import WebServer
from rules.model.counted import counted
from rules.model.evidence import EngineCrashFacts
from rules.verdict.check import Check, hold_for, load_catalogue

log: Final = logging.getLogger("pitr.service")

# Objects made, before Python looks for cycles among them: the readings of many clusters live for a
# poll each, and to go through them at every 700th costs more than the polls.
_COLLECTED_AFTER: Final = (20_000, 20, 10)
_TRAIL_JOB: Final = "trail"  # what is exposed since when, as it is written down
_CLOCK_SECONDS: Final = 1.0  # between two looks at what is overdue
_TRAILS_SECONDS: Final = 60.0  # how often what is exposed since when is written down


class Service:
    """Built from a configuration; `run` returns after SIGTERM or SIGINT.

    On SIGHUP `load` is asked for the configuration again. If it raises ConfigError, or the new one
    cannot be used, what runs continues.
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
        self._marker = CrashMarker(beside_ledger(config, "crash", "txt"))
        self._memory = AlertMemory(beside_ledger(config, "alerts"))
        self._history = DrillHistory(beside_ledger(config, "drills"))
        self._ledger = Ledger(str(config.ledger), log.warning) if config.ledger else None
        self._schedule = Schedule()
        self._drills = DrillQueue(
            self._history,
            config.ledger,
            lambda name, drills: self._clusters.take_drills(name, drills),
            lambda name, error: self._clusters.note_raised(name, error),
        )
        self._clusters = Clusters(self._schedule, self._make_cluster, self._drills)
        self._evidence = EvidenceKeeper(self._clusters.all)
        self._notifier = Notifier(self._memory)
        self._reloads = Reloads()
        self._acquainted = Acquainted(beside_ledger(config, "web") if web.users else None)
        refusals = Refusals()
        own = OwnCollector(self._notifier, self._reloads, self._marker.crash, refusals)
        self._web = WebServer(
            self._clusters.all,
            listen_address,
            telemetry_path,
            (own,),
            web,
            stands_still=lambda: self._schedule.stands_still,
            refusals=refusals,
            acquainted=self._acquainted,
        )

    async def run(self, on_ready: Callable[[str], None] = lambda url: None) -> None:
        """Serve until told to stop. `on_ready` gets the base URL once it is served.

        Raises OSError when the address cannot be listened on.
        """
        allocate_together()  # before there are threads
        gc.set_threshold(*_COLLECTED_AFTER)
        gc.freeze()  # what was imported stays
        stopped, reload = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        loop.add_signal_handler(signal.SIGHUP, reload.set)
        try:
            async with self._web.serving() as url:
                await self._serve(url, on_ready, stopped, reload)
        finally:
            self._close()

    async def _serve(
        self,
        url: str,
        on_ready: Callable[[str], None],
        stopped: asyncio.Event,
        reload: asyncio.Event,
    ) -> None:
        self._apply(self._config)
        if self._config.alerts.notify and not self._memory.lasts:
            log.warning("alerts are kept in memory only: name a file with `ledger:`")
        drilled = any(cluster.config.drill for cluster in self._clusters.all)
        if drilled and not self._history.lasts:
            log.warning("drills are remembered in memory only: name a file with `ledger:`")
        on_ready(url)
        tell_systemd(READY, self._status())
        jobs = (
            self._schedule.run(),
            self._notifier.run(),
            self._reload_when(reload),
            self._keep_trails(),
            self._mind_the_clock(),
            self._feed_watchdog(),
            self._drills.run(),
            self._evidence.run(),
        )
        tasks = [asyncio.create_task(each) for each in jobs]
        running = asyncio.gather(*tasks)
        running.add_done_callback(lambda _: stopped.set())
        try:
            await stopped.wait()
            if running.done():  # it never ends by itself except with an unforeseen error
                running.result()
            log.info("stopping")
        finally:
            tell_systemd(STOPPING)
            tasks += self._clusters.stop()  # what is read just now is written down, too
            for task in tasks:
                task.cancel()
            self._remember_trails()
            self._memory.save()
            await asyncio.wait(tasks)  # a drill that is made just now removes what it restored
            if not running.cancelled():
                running.exception()  # it is known: asyncio need not report it

    def _close(self) -> None:
        """Close what was opened, each whatever becomes of the others."""
        with contextlib.ExitStack() as opened:  # the last is closed first
            opened.callback(self._marker.close)
            if self._ledger is not None:
                opened.callback(self._ledger.close)
            opened.callback(self._history.close)
            opened.callback(self._acquainted.close)
            opened.callback(self._memory.close)
            opened.callback(self._notifier.close)
            opened.callback(self._clusters.close)

    async def _feed_watchdog(self) -> None:
        """Say that the agent lives, for as long as its schedule does."""
        seconds = watchdog_seconds()
        while seconds is not None:
            clusters = self._clusters.all
            if not clusters or not all(map(is_late, clusters)):
                tell_systemd(ALIVE)
            await asyncio.sleep(seconds)

    def _status(self) -> str:
        return f"STATUS=watching {counted(len(self._clusters.all), 'cluster')}"

    async def _mind_the_clock(self) -> None:
        """Have a verdict that is overdue become unknown, though no job of its cluster runs."""
        while True:
            began = monotonic()
            await asyncio.sleep(_CLOCK_SECONDS)
            if monotonic() - began > 2 * _CLOCK_SECONDS:
                continue  # the loop itself was held up: let the jobs have their turn first
            for cluster in list(self._clusters.all):
                cluster.mind_the_clock()

    async def _keep_trails(self) -> None:
        while True:
            await asyncio.sleep(_TRAILS_SECONDS)
            self._remember_trails()
            give_back()

    def _remember_trails(self) -> None:
        for cluster in self._clusters.all:
            try:
                if (trail := cluster.over_time.kept_trail) is not None:
                    self._memory.keep_trail(cluster.name, trail)
                self._memory.keep_cuts(cluster.name, cluster.over_time.cuts)
            except Exception as error:
                if cluster.jobs.note_raised(_TRAIL_JOB, error):
                    cluster.judge()
            else:
                if cluster.jobs.note_raised(_TRAIL_JOB, None):
                    cluster.judge()

    async def _reload_when(self, asked: asyncio.Event) -> None:
        while True:
            await asked.wait()
            asked.clear()
            tell_systemd(*reloading())
            await self._reload()
            tell_systemd(READY, self._status())

    async def _reload(self) -> None:
        try:
            config, web = await asyncio.to_thread(self._load)
            self._web.use(web)
            if config.ledger != self._config.ledger:
                log.warning("`ledger` takes effect at the next start")
            log.info("the configuration is reloaded: %s", self._apply(config))
        except (ConfigError, OSError) as error:
            for line in str(error).splitlines():
                log.error("the configuration is not reloaded: %s", line)
            self._reloads.failed()
        except Exception:  # the boundary of a job: what runs continues, and the metric tells
            log.exception("the configuration is not reloaded: unexpected")
            self._reloads.failed()
        else:
            self._reloads.succeeded()

    def _apply(self, config: Config) -> str:
        speak(config.lang)
        checks = load_catalogue()
        if config.alerts.hold is not None:
            checks = hold_for(checks, config.alerts.hold)
        self._remember_trails()  # a cluster that changed is rebuilt
        self._notifier.configure(config.alerts, checks)
        what_changed = self._clusters.apply(config.resolved(), checks)
        self._config = config
        self._notifier.forget_clusters_but({cluster.name for cluster in config.clusters})
        return what_changed

    def _make_cluster(self, config: ResolvedCluster, checks: Mapping[str, Check]) -> WatchedCluster:
        trail = self._memory.trail_of(config.name)
        cluster = WatchedCluster(
            config,
            checks,
            alerts=self._memory.alerts_of(config.name),
            over_time=OverTime(trail, self._memory.cuts_of(config.name), poll_seconds=config.poll),
            on_alerts=self._notifier.advanced,
            ledger=self._ledger,
        )
        if self._marker.crash is not None:
            cluster.observe(EngineCrashFacts, self._marker.crash)
        return cluster
