"""Whose turn it is: drills that are due wait here, and are made one after the other.

However many clusters have the same crontab line, one drill at a time loads this machine; who was
drilled longest ago goes first. What waits is remembered over a restart.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from agent.config.model import ResolvedCluster
from agent.deadline import Worker
from agent.drill_schedule.document import not_run
from agent.drill_schedule.history import DrillHistory
from agent.drill_schedule.process import run_drill
from agent.durations import format_duration
from parsers.sentences import tr
from rules.drill.records import DrillRecord, DrillsFacts

log: Final = logging.getLogger("pitr.drill")

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_SWEEP_SECONDS: Final = 600.0
_PAUSE_SECONDS: Final = 60.0  # after what could not even be begun

# Called with a cluster's name and its drills when they have changed.
OnDrills = Callable[[str, DrillsFacts], None]
# Called with a cluster's name and what making its drill ended in.
OnRaised = Callable[[str, Exception | None], None]


class DrillQueue:
    """Belongs to the event loop. `run` makes what `ask` asked for, until it is cancelled."""

    def __init__(
        self,
        history: DrillHistory,
        ledger: Path | None,
        on_drills: OnDrills,
        on_raised: OnRaised = lambda name, error: None,
    ) -> None:
        self._history = history
        self._ledger = ledger
        self._on_drills = on_drills
        self._on_raised = on_raised
        self._configs: dict[str, ResolvedCluster] = {}  # of the clusters that are drilled
        self._changed = asyncio.Event()

    def configure(self, configs: Iterable[ResolvedCluster]) -> None:
        """Drill these from now on. What runs continues."""
        self._configs = {config.name: config for config in configs if config.drill is not None}
        for name in self._configs:
            self._history.plan(name, datetime.now(UTC))
        self._changed.set()

    def facts(self, name: str) -> DrillsFacts | None:
        """The drills of a cluster; None when it is not drilled."""
        return self._history.facts(name) if name in self._configs else None

    async def ask(self, name: str) -> None:
        """A drill of this cluster is due. One that runs, or waits already, is enough."""
        if self._history.facts(name).running_since is None and not self._history.asked_at(name):
            self._history.ask(name, datetime.now(UTC))
            self._changed.set()

    async def run(self) -> None:
        """Remove what a killed agent left, then make the drills that are due."""
        await self._sweep()
        while True:
            self._changed.clear()
            name = self._next()
            if name is None:
                await self._changed.wait()
            else:
                await self._try_to_make(name)

    def _next(self) -> str | None:
        """Of those that wait, whose last drill is longest ago."""
        waiting = [name for name in self._configs if self._history.asked_at(name)]
        return min(waiting, key=self._last_at, default=None)

    def _last_at(self, name: str) -> datetime:
        last = self._history.facts(name).last
        return last.started_at if last else _LONG_AGO

    async def _try_to_make(self, name: str) -> None:
        """The boundary of a drill: what is raised ends neither the queue nor the agent."""
        try:
            await self._make(self._configs[name])
        except Exception as error:
            self._on_raised(name, error)
            with suppress(Exception):  # what cannot be written down is tried again all the same
                if self._history.facts(name).running_since is not None:
                    self._history.put_off(name)
            await asyncio.sleep(_PAUSE_SECONDS)  # it may still be the first of those that wait
        else:
            self._on_raised(name, None)

    async def _make(self, config: ResolvedCluster) -> None:
        assert config.drill is not None
        name, now = config.name, datetime.now(UTC)
        before = self._history.facts(name)
        self._history.begin(name, now)
        self._tell(name)
        log.info("%s: a drill begins", name)
        try:
            record = await run_drill(config, before, self._ledger)
        except asyncio.CancelledError:
            self._history.put_off(name)
            raise
        except Exception as error:  # the boundary of a job: no drill, and why
            log.exception("%s: unexpected", name)
            record = not_run(
                tr("unexpected {kind}: {error}", kind=type(error).__name__, error=error), now, 0.0
            )
        self._history.end(name, record, config.drill.history)
        _log_end(name, record)
        self._tell(name)

    def _tell(self, name: str) -> None:
        facts = self.facts(name)
        if facts is not None:
            self._on_drills(name, facts)

    async def _sweep(self) -> None:
        directories = {config.drill.directory for config in self._configs.values() if config.drill}
        if not directories:
            return
        try:
            await Worker("drills/sweep").run(_SWEEP_SECONDS, lambda: _sweep(directories))
        except Exception as error:  # the next drill in that directory tries again
            log.warning("what a killed drill left could not be removed: %s", error)


def _sweep(directories: Iterable[Path | None]) -> None:
    from agent.drill.account import drill_account
    from agent.drill.area import default_base, sweep

    for directory in sorted({directory or default_base() for directory in directories}):
        for path in sweep(directory, drill_account()):
            log.info("removed what a killed drill had left: %s", path)


def _log_end(name: str, record: DrillRecord) -> None:
    took = format_duration(record.seconds)
    if record.succeeded:
        log.info("%s: drilled in %s: %s: %s", name, took, record.target, record.outcome)
    else:
        reason = record.reason or "; ".join(record.disagreements) or "see its findings"
        log.warning("%s: drill in %s: %s: %s", name, took, record.outcome, reason)
