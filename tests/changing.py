"""A watched cluster that a seed changes, one thing at a time, by a clock that stands between them.

What it is told are the facts of the catalogue's pairs: of every kind, sound ones and bad ones.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta, tzinfo
from types import SimpleNamespace
from typing import Any, Final

import pytest

from agent.config.model import Config, ResolvedCluster
from agent.monitor import drawn_line, exporter, restore_watch, rounds, verdicts
from agent.monitor import watched as of_clusters
from agent.monitor.jobs import SCAN
from agent.monitor.reading import Reading
from agent.monitor.watched import WatchedCluster
from agent.web import exposition
from rules.case.engine import derivations
from rules.verdict.check import hold_for, load_catalogue
from tests.rules.catalogue.facts import NOW
from tests.rules.catalogue.test_pairs import PAIRS

CHECKS: Final = load_catalogue()
_PASSED_SECONDS: Final = (0.0, 1.0, 70.0, 5000.0, 40 * 86400.0)
_READERS: Final = (drawn_line, exporter, restore_watch, rounds, verdicts, of_clusters, exposition)


class Clock:
    """Of the wall, and the one that never steps."""

    def __init__(self) -> None:
        self.at, self.ticks = NOW, 1000.0

    def go_on(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.ticks += seconds


def stop_the_clock(patch: pytest.MonkeyPatch) -> Clock:
    """What renders and judges reads this one."""
    clock = Clock()

    class Stopped(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return clock.at.astimezone(tz)

    for module in _READERS:
        for name, stopped in (("datetime", Stopped), ("monotonic", lambda: clock.ticks)):
            if hasattr(module, name):
                patch.setattr(module, name, stopped)
    patch.setattr(exporter, "time", SimpleNamespace(time=lambda: clock.at.timestamp()))
    return clock


def configure(*names: str, **keys: Any) -> list[ResolvedCluster]:
    """Clusters of every source, with goals."""
    sources = {
        "dsn": "host=127.0.0.1 port=1", "archives": [{"url": "/archive"}],
        "backups": {"url": "/backups"}, "log": "/log",
        "objectives": {
            "rpo": "60s", "rto": "600s", "window": "7d", "backup_age": "1d", "drill_age": "7d",
        },
    }  # fmt: skip
    clusters = [{"name": name, **sources, **keys} for name in names]
    return list(Config.model_validate({"clusters": clusters}).resolved())


class Changes:
    """What befalls clusters."""

    def __init__(self, seed: int, clock: Clock) -> None:
        self._chance = random.Random(seed)
        self._clock = clock
        self._going_on: list[AbstractContextManager[None]] = []

    def one(self, cluster: WatchedCluster) -> None:
        """Change one thing; it may be judged, or not yet."""
        self._chance.choices(self._kinds, weights=(8, 2, 3, 2, 2, 1, 1))[0](cluster)
        if self._chance.random() < 0.7:
            cluster.judge()

    @property
    def _kinds(self) -> list[Callable[[WatchedCluster], None]]:
        return [
            self._tell, self._lose, self._read, self._pass_time, self._begin_or_end, self._work_out,
            self._reload,
        ]  # fmt: skip

    def _tell(self, cluster: WatchedCluster) -> None:
        pair = PAIRS[self._chance.choice(sorted(PAIRS))]
        for fact in self._chance.choice(pair):
            cluster.observe(type(fact), fact)

    def _lose(self, cluster: WatchedCluster) -> None:
        known = sorted(cluster.case.observations, key=lambda kind: kind.__name__)
        if known:
            cluster.observe(self._chance.choice(known), None)

    def _read(self, cluster: WatchedCluster) -> None:
        name = self._chance.choice(("archive", "positions", "backups", "log"))
        collectors = cluster._readers._collectors
        collectors.readings[name] = Reading(
            collector=name, started_at=self._clock.at, duration_seconds=self._chance.random(),
            error=self._chance.choice((None, "no answer within 10 s")),
        )  # fmt: skip
        collectors._on_change()

    def _pass_time(self, cluster: WatchedCluster) -> None:
        self._clock.go_on(self._chance.choice(_PASSED_SECONDS))
        cluster.mind_the_clock()

    def _begin_or_end(self, cluster: WatchedCluster) -> None:
        """A reading, or a round."""
        if self._going_on:
            self._going_on.pop().__exit__(None, None, None)
            return
        job = self._chance.choice((SCAN, "state", "log"))
        reading = cluster._readers._collectors.reading(job, self._chance.choice((10, 100_000)))
        self._going_on.append(self._chance.choice((reading, cluster.jobs.rounds.round(job))))
        self._going_on[-1].__enter__()

    def _work_out(self, cluster: WatchedCluster) -> None:
        """As the scan does, on a thread."""
        waiting = cluster.case.waiting()
        for kind in derivations():
            try:
                waiting.get(kind)
            except Exception:  # facts of which each is sound, and all together are not
                waiting.drop(kind)
        cluster._changed()

    def _reload(self, cluster: WatchedCluster) -> None:
        cluster.checks = hold_for(CHECKS, self._chance.choice((0.0, 60.0)))
