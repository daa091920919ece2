"""The page of the results is the one that the results make."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.truth.__main__ import plans_of, read_arguments
from tests.truth.damages import KINDS
from tests.truth.plan import DAMAGES, GENERATION, LIVING, TURNING, make_plan
from tests.truth.report import OPEN, PAGE, RESULTS, figures, main, read_results, render
from tests.truth.steps import STEPS

ROOT = PAGE.parents[1]


def test_the_page_is_made_of_the_results() -> None:
    assert PAGE.read_text() == render(figures(read_results())), "stale: type  make truth-docs"


def test_the_same_figures_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["report", "--json"])
    main()
    found = json.loads(capsys.readouterr().out)
    assert found == figures(read_results())
    for by in ("by_major", "by_target", "by_damage"):
        assert sum(each["restores"] for each in found[by].values()) == found["restores"]


def test_make_passes_on_what_is_asked() -> None:
    """A seed alone to be reduced; and what the results have is not lived again."""
    asked = [
        "SEED=7",
        "MAJOR=13,16",
        "REDUCE=1",
        f"RESULTS={RESULTS}",
        "RESTORES=3",
        "ARGS=--jobs 1",
    ]
    told = subprocess.run(
        ["make", "-n", "truth", *asked], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.replace("\\\n", " ")
    line = next(line for line in told.splitlines() if "-m tests.truth " in line)
    given = read_arguments(shlex.split(line.partition("-m tests.truth ")[2]))
    assert (given.seeds, given.majors, given.restores, given.jobs) == ([7], [13, 16], 3, 1)
    assert given.reduce and given.results == RESULTS


def test_what_the_results_have_is_not_lived_again(tmp_path: Path) -> None:
    line = json.loads(RESULTS.read_text().splitlines()[0])
    file = tmp_path / "results.jsonl"
    asked = ["--seeds", "1,2", "--majors", "13", "--results", str(file)]
    assert [plan.seed for plan in plans_of(read_arguments(asked))] == [1, 2]
    known = {**line, "generation": GENERATION, "seed": 1, "major": 13}
    file.write_text(f"{json.dumps({**known, 'generation': 0, 'seed': 2})}\n{json.dumps(known)}\n")
    assert [plan.seed for plan in plans_of(read_arguments(asked))] == [2]
    assert [plan.seed for plan in plans_of(read_arguments([*asked, "--again"]))] == [1, 2]


def test_what_disagrees_is_named() -> None:
    lines = read_results()
    wrong = {(line["generation"], line["seed"], line["major"]) for line in lines if line["wrong"]}
    assert wrong == OPEN.keys()
    found = figures(lines)
    assert found["by_major"].keys() >= {"13", "14", "15", "16", "17", "18"}


def test_a_history_lived_again_takes_the_place_of_its_line(tmp_path: Path) -> None:
    line = json.loads(RESULTS.read_text().splitlines()[0])
    file = tmp_path / "results.jsonl"
    again = {**line, "restores": 1, "wrong": 1, "targets": {"xid": [1, 1, 0]}}
    file.write_text("".join(f"{json.dumps(each)}\n" for each in (line, again)))
    found = figures(read_results(file))
    assert (found["histories"], found["restores"], found["wrong"]) == (1, 1, 1)
    assert found["by_target"] == {"xid": {"restores": 1, "wrong": 1, "unknown": 0}}


def test_every_kind_is_there_and_drawn() -> None:
    assert STEPS.keys() == LIVING.keys() | TURNING.keys()
    assert KINDS.keys() >= set(DAMAGES)
    plans = [make_plan(seed, 16, 30) for seed in range(200)]
    assert {step.kind for plan in plans for step in plan.steps} == STEPS.keys()
    assert {trial.damage for plan in plans for trial in plan.trials} == {None, *DAMAGES}
