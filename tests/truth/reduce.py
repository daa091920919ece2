"""A history that disagrees, less everything that it disagrees without.

Delta debugging (Zeller's ddmin) over a plan's steps, with the one trial that disagrees: each
candidate is lived and restored again, by real servers. What it must still show is a disagreement in
one of the same fields; a candidate that lost what the trial refers to shows none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.truth.plan import Plan, Trial

Disagrees = Callable[[Plan], bool]


def reduce(plan: Plan, trial: Trial, disagrees: Disagrees) -> Plan:
    """The smallest of the plans that still disagree: without any one of its steps it does not."""
    plan = replace(plan, trials=(trial,))
    for simpler in _simpler(trial):
        candidate = replace(plan, trials=(simpler,))
        if simpler != plan.trials[0] and disagrees(candidate):
            plan = candidate
    kept = _ddmin([step.id for step in plan.steps], lambda ids: disagrees(plan.keeping(set(ids))))
    return plan.keeping(set(kept))


def _simpler(trial: Trial) -> Sequence[Trial]:
    """The same trial with the usual settings, as far as they do not matter; one at a time."""
    usual = {
        "damage": None, "action": "promote", "timeline": "latest", "hot_standby": True,
        "signals": ("recovery",), "lowered": None,
    }  # fmt: skip
    found = []
    for name, value in usual.items():
        trial = replace(trial, **{name: value})
        found.append(trial)
    return found


def _ddmin(items: list[int], holds: Callable[[list[int]], bool]) -> list[int]:
    parts = 2
    while len(items) > 1:
        size = -(-len(items) // parts)
        chunks = [items[at : at + size] for at in range(0, len(items), size)]
        for chunk in chunks:
            rest = [each for each in items if each not in chunk]
            if holds(rest):
                items, parts = rest, max(parts - 1, 2)
                break
        else:
            if parts >= len(items):
                return items
            parts = min(parts * 2, len(items))
    return items
