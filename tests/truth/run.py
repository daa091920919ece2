"""Histories of seeds, lived and tried: what came of each is one line."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.postgres.account import Account
from rules.recovery.predictor import simulate
from tests.fix_place import PLACE
from tests.truth.aims import end_history
from tests.truth.plan import GENERATION, Plan, Trial
from tests.truth.steps import STEPS
from tests.truth.trial import Judge, Predict, Tried
from tests.truth.world import Template, World, remove


@dataclass(kw_only=True)
class Lived:
    """One history, and what came of its trials."""

    plan: Plan
    tried: list[Tried] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def wrong(self) -> list[Tried]:
        return [each for each in self.tried if each.wrong]

    def line(self) -> dict[str, Any]:
        """Counts alone: restores, wrong ones, unknown ones; also by target and by damage."""
        restores, wrong, unknown = _counts(self.tried)
        return {
            "generation": GENERATION,
            "seed": self.plan.seed,
            "major": self.plan.major,
            "restores": restores,
            "wrong": wrong,
            "unknown": unknown,
            "targets": _by(self.tried, lambda trial: trial.type),
            "damages": _by(self.tried, lambda trial: trial.damage or "none"),
        }


def _by(tried: Sequence[Tried], kind_of: Callable[[Trial], str]) -> dict[str, tuple[int, ...]]:
    kinds = sorted({kind_of(each.trial) for each in tried})
    return {kind: _counts([e for e in tried if kind_of(e.trial) == kind]) for kind in kinds}


def _counts(tried: Sequence[Tried]) -> tuple[int, int, int]:
    wrong = sum(bool(each.wrong) for each in tried)
    return len(tried), wrong, sum(not each.said for each in tried)


@contextlib.contextmanager
def place(account: Account, below: Path | None = None) -> Iterator[Path]:
    """A directory, in memory where there is room: servers, archives and backups."""
    root = below or PLACE
    home = Path(tempfile.mkdtemp(prefix="pt-", dir=root))
    home.chmod(0o755)
    try:
        yield home
    finally:
        remove(home)


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Where histories of one major happen, and how they are judged."""

    home: Path
    template: Template
    predict: Predict = simulate
    faces: int = 0  # of so many restores of each, everybody who can answer is asked

    def live(self, plan: Plan) -> Lived:
        """Do a plan's steps, then its trials."""
        begun = time.monotonic()
        lived = Lived(plan=plan)
        with self._world(plan) as world:
            judge = Judge(world, end_history(world), self.faces, self.predict)
            lived.failed = world.failed
            for trial in plan.trials:
                tried = judge.try_out(trial)
                if tried is not None:
                    lived.tried.append(tried)
        lived.seconds = time.monotonic() - begun
        return lived

    @contextlib.contextmanager
    def _world(self, plan: Plan) -> Iterator[World]:
        """The world after a plan's steps; gone afterwards."""
        below = Path(tempfile.mkdtemp(prefix="w", dir=self.home))
        below.chmod(0o755)
        self.template.account.own(below)
        world = World(plan, below, self.template)
        try:
            for step in plan.steps:
                world.live(step, STEPS[step.kind])
            yield world
        finally:
            world.close()
            remove(below)
