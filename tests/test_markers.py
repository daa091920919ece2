"""What runs when: each marker and each target that runs tests is told in tests/README.md."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
TOLD: Final = (ROOT / "tests" / "README.md").read_text()
MAKEFILE: Final = (ROOT / "Makefile").read_text()
# A target that takes ARGS hands them to pytest, or to a campaign of its own.
TARGETS: Final = re.findall(r"^([a-z-]+):.*\n(?:\t.*\n)*?\t.*\$\(ARGS\)", MAKEFILE, re.MULTILINE)
MARKERS: Final = [
    re.split(r"\W", line)[0]
    for line in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"][
        "ini_options"
    ]["markers"]
]


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_is_told(target: str) -> None:
    assert f"`make {target}`" in TOLD


@pytest.mark.parametrize("marker", MARKERS)
def test_a_marker_is_told(marker: str) -> None:
    assert re.search(rf"^\| `{marker}\b", TOLD, re.MULTILINE)


def test_all_of_them_are_found() -> None:
    assert {"test", "campaigns", "unit", "truth-stories", "faults"} <= set(TARGETS)
    assert {"campaign", "slow", "server", "pg", "needs"} == set(MARKERS)


def test_nothing_is_left_out_between_test_and_campaigns() -> None:
    """A test is in one of the two: CI runs both."""
    asked = re.findall(r"pytest .*-m '?((?:not )?campaign)'? \$\(ARGS\)", MAKEFILE)
    assert sorted(asked) == ["campaign", "not campaign"]
    ran = (ROOT / ".ci" / "run").read_text()
    assert "\nmake campaigns\n" in ran and ran.endswith("\nmake test\n")


def test_of_a_tests_majors_one_is_taken_and_the_others_are_a_campaign() -> None:
    file = "tests/integration/test_pg_control.py"

    def collect(marker: str) -> list[str]:
        command = (sys.executable, "-m", "pytest", "-n", "0", "--collect-only", "-q", "-m", marker)
        ran = subprocess.run([*command, file], capture_output=True, text=True, cwd=ROOT)
        return [line for line in ran.stdout.splitlines() if "test_every_field_is_what" in line]

    taken, others = collect("not campaign"), collect("campaign")
    assert len(taken) == 1 and len(others) == 2 and not {*taken} & {*others}
