"""A slice of the campaign: one history a major, each restore predicted and then really done.

More seeds, and what the steps and trials of a history are: tests/truth.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from agent.postgres.installation import Installation
from rules.model.goal import Goal
from rules.model.outcome import Outcome
from rules.model.restore_inputs import RestoreInputs
from rules.recovery.predictor import simulate
from tests.truth.__main__ import grounds, reduce_history
from tests.truth.plan import BACKUPS, Plan, Step, Trial, make_plan
from tests.truth.run import Ground, Lived

SEED = 1_000_000  # beyond every seed of the results: the slice adds to them

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
NewGround = Callable[..., Ground]


@pytest.fixture
def new_ground(installations: dict[int, Installation]) -> Iterator[NewGround]:
    """`installations` has a copy of what the servers' account cannot read."""
    with grounds(installations) as make:
        yield make


def disagreements(lived: Lived) -> str:
    return "\n\n".join(
        "\n".join([str(each.trial), str(each.target), *each.wrong, each.log])
        for each in lived.wrong
    )


@pytest.mark.pg(">= 13", npm=True, each=True)
@pytest.mark.parametrize("restores", [12, pytest.param(34, marks=pytest.mark.campaign)])
def test_no_restore_goes_otherwise_than_predicted(
    pg: Installation, new_ground: NewGround, restores: int
) -> None:
    lived = new_ground(pg.major).live(make_plan(SEED, pg.major, restores))
    assert disagreements(lived) == ""
    assert len(lived.tried) > restores // 2
    assert all(each.said for each in lived.tried if not each.trial.damage)


@pytest.mark.pg("== 16")
@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(seed, marks=pytest.mark.campaign) for seed in (2, 3))]
)
def test_everybody_gives_the_same_answer(
    pg: Installation, new_ground: NewGround, seed: int
) -> None:
    """pitr-check, its drill, pitr-watch before and after, the agent's page and API."""
    lived = new_ground(pg.major, faces=5).live(make_plan(SEED + seed, pg.major, 5))
    assert disagreements(lived) == ""
    assert lived.tried


@pytest.mark.pg("== 18")
def test_tablespaces_outside_in_every_kind_of_backup(
    pg: Installation, new_ground: NewGround
) -> None:
    """Each backup by every face, with a signal file and without; 18 makes increments too."""
    kinds = ["commit", "tablespace_outside", "commit", "checkpoint", "backup", "commit",
             "standby_backup", "commit", "incremental_backup", "base_backup",
             "backup_under_load", "commit", "tablespace_outside", "commit"]  # fmt: skip
    steps = tuple(Step(id=n, kind=kind, dice=n) for n, kind in enumerate(kinds, start=1))
    usual = Trial(
        backup=0, type="xid", anchor=12, dice=1, inclusive=True, timeline="latest",
        action="promote", hot_standby=True,
    )  # fmt: skip
    trials = tuple(
        replace(usual, backup=step.id, **changes)
        for step in steps
        if step.kind in BACKUPS
        for changes in ({}, {"type": "none"}, {"signals": ()})
    )
    plan = Plan(seed=0, major=pg.major, steps=steps, trials=trials)
    lived = new_ground(pg.major, faces=1).live(plan)
    assert lived.failed == {}
    assert disagreements(lived) == ""
    assert [each.trial for each in lived.tried] == list(trials)
    assert all(each.outcome.outcome == "opens" for each in lived.tried if each.trial.signals)


@pytest.mark.pg("== 18")
def test_a_history_is_reduced_to_what_disagrees(
    pg: Installation, new_ground: NewGround, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `make truth REDUCE=1` does. The predictor is wrong where it stops at a restore point."""

    def wrong_at_points(restore: RestoreInputs, goal: Goal) -> Outcome:
        outcome = simulate(restore, goal)
        at_point = outcome.stop is not None and outcome.stop.kind == "restore_point"
        return replace(outcome, new_timeline=77) if at_point else outcome

    kinds = ["commit", "ddl", "backup", "commit", "switch", "restore_point", "abort", "crash",
             "commit", "checkpoint"]  # fmt: skip
    steps = tuple(Step(id=n, kind=kind, dice=n) for n, kind in enumerate(kinds, start=1))
    trial = Trial(
        backup=3, type="name", anchor=6, dice=1, inclusive=True, timeline="current",
        action="promote", hot_standby=False, damage="flip_unused", damaged_near=1,
    )  # fmt: skip
    other = replace(trial, type="immediate")
    plan = Plan(seed=0, major=pg.major, steps=steps, trials=(other, trial))
    ground = new_ground(pg.major, predict=wrong_at_points)
    assert reduce_history(ground, plan) == 1
    first, *_, last = capsys.readouterr().out.splitlines()
    assert "2 restores, 1 wrong" in first
    smallest = json.loads(last)
    assert [step["kind"] for step in smallest["steps"]] == ["backup", "restore_point"]
    (left,) = smallest["trials"]
    assert left == {
        **asdict(trial), "damage": None, "timeline": "latest", "hot_standby": True,
        "signals": ["recovery"],
    }  # fmt: skip
    assert reduce_history(replace(ground, predict=simulate), plan) == 0


def test_a_seed_is_the_same_history_again(tmp_path: Path) -> None:
    assert make_plan(7, 16, 20) == make_plan(7, 16, 20)
    assert make_plan(7, 16, 20) != make_plan(8, 16, 20)
