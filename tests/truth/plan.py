"""A history as its seed makes it: steps, and trials that refer to them. Nothing runs here."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from rules.model.restore_inputs import PARAMETERS

# Raised whenever a seed no longer makes the same plan.
GENERATION: Final = 3

# Step -> how likely it is beside others. Majors that lack a kind do something like it (`steps`).
LIVING: Final = {
    "commit": 14, "abort": 5, "nest": 4, "subtransactions": 2, "prepare": 4, "end_prepared": 4,
    "restore_point": 6, "message": 5, "ddl": 2, "switch": 4, "switch_at_the_edge": 2,
    "point_at_the_edge": 1, "commit_over_a_boundary": 1, "checkpoint": 2, "idle": 2,
    "truncate": 1, "vacuum_full": 1, "reindex": 1, "large_object": 1, "unlogged": 1,
    "indexes": 1, "compression": 2, "full_pages": 1, "sequence": 1, "locks": 1,
    "create_database": 1, "drop_database": 1, "tablespace": 1, "step_clock": 2,
    "clock": 2, "tablespace_outside": 1,
}  # fmt: skip
TURNING: Final = {
    "crash": 4, "restart": 2, "settings": 4, "wal_level": 2, "fork": 7, "backup": 4,
    "base_backup": 3, "standby_backup": 2, "abandoned_backup": 1, "crash_in_a_backup": 1,
    "exclusive_backup": 1, "incremental_backup": 1, "backup_under_load": 2, "promotion": 2,
    "included_setting": 1,
}  # fmt: skip
_SIGNALS: Final = (("recovery",), ("standby",), ("recovery", "standby"), ())
BACKUPS: Final = frozenset({
    "backup", "base_backup", "standby_backup", "exclusive_backup", "incremental_backup",
    "backup_under_load",
})  # fmt: skip

DAMAGES: Final = (
    "remove", "truncate", "lengthen", "zero_tail", "flip_used", "flip_unused", "foreign_system",
    "another_segment", "empty", "zeros", "two_removed", "history_removed", "history_cut",
    "history_garbled", "stray_history", "partial_instead", "copied_to_next_timeline",
    "flip_header", "no_file", "named_for_its_parent",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happens. Its own dice make its choices, whatever came before."""

    id: int
    kind: str
    dice: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One restore. `anchor` and `backup` are steps' ids: the values follow of what they did."""

    backup: int
    type: str
    anchor: int
    dice: int
    inclusive: bool
    timeline: str
    action: str
    hot_standby: bool
    # standby too only where recovery stops by itself; none: a start that nobody asked for
    signals: tuple[str, ...] = ("recovery",)
    damage: str | None = None
    damaged_near: int = 0  # a step's id
    lowered: str | None = None  # a setting that the restoring server has lower than it should


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is done, in this order, and what is asked afterwards."""

    seed: int
    major: int
    steps: tuple[Step, ...]
    trials: tuple[Trial, ...]

    def keeping(self, ids: Collection[int]) -> Plan:
        """The same history with these steps alone."""
        return replace(self, steps=tuple(each for each in self.steps if each.id in ids))

    def document(self) -> dict[str, Any]:
        return {**asdict(self), "generation": GENERATION}


def make_plan(seed: int, major: int, restores: int) -> Plan:
    """The history of a seed: every major has its own."""
    rng = random.Random(f"{seed}/{major}")
    kinds = [*_draw(rng, LIVING, rng.randrange(2, 7)), "backup"]
    for _ in range(rng.randrange(3, 8)):
        kinds += _draw(rng, LIVING, rng.randrange(2, 9))
        kinds += _draw(rng, TURNING, rng.choice((1, 1, 2)))
    kinds += _draw(rng, LIVING, rng.randrange(3, 12))
    steps = tuple(
        Step(id=number, kind=kind, dice=rng.getrandbits(32))
        for number, kind in enumerate(kinds, start=1)
    )
    trials = tuple(_trial(rng, steps) for _ in range(restores))
    return Plan(seed=seed, major=major, steps=steps, trials=trials)


def _draw(rng: random.Random, weights: dict[str, int], count: int) -> list[str]:
    return rng.choices(list(weights), list(weights.values()), k=count)


def _trial(rng: random.Random, steps: Sequence[Step]) -> Trial:
    backups = [step.id for step in steps if step.kind in BACKUPS]
    backup = backups[0] if rng.random() < 0.5 else rng.choice(backups)
    after = [step.id for step in steps if step.id > backup] or [backup]
    anchor = rng.choice(after) if rng.random() < 0.85 else rng.choice(steps).id
    forks = sum(step.kind == "fork" for step in steps)
    numbers = [str(number + 1) for number in range(forks + 1)]
    damage = rng.choice(DAMAGES) if rng.random() < 0.35 else None
    return Trial(
        backup=backup,
        type=rng.choices(("none", "immediate", "time", "lsn", "xid", "name"), (3, 1, 6, 6, 5, 4))[
            0
        ],
        anchor=anchor,
        dice=rng.getrandbits(32),
        inclusive=rng.random() < 0.5,
        timeline=rng.choice(("latest", "latest", "latest", "current", *numbers)),
        action=rng.choices(("promote", "pause", "shutdown"), (6, 1, 2))[0],
        hot_standby=rng.random() < 0.75,
        signals=rng.choices(_SIGNALS, (6, 1, 1, 1))[0],
        damage=damage,
        damaged_near=rng.choice(after),
        lowered=rng.choice(PARAMETERS) if rng.random() < 0.05 else None,
    )
