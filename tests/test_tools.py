"""What is absent skips a test with what enables it, is counted in one line, and fails CI."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TESTS = """
import os
import pytest
from tests.fix_tools import need_program

@pytest.fixture(scope="session")
def prometheus():
    return need_program("promtool")

def test_its_fixture_needs_it(prometheus): ...
def test_so_does_another(prometheus): ...
def test_in_its_body():
    need_program("curl")
@pytest.mark.needs("DRILL_KILLS")
def test_on_request(prometheus): ...
def test_that_needs_nothing(): ...
"""


def run(directory: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """These tests, on a machine with no program on its PATH."""
    (directory / "test_bare.py").write_text(TESTS)
    config = directory / "pytest.ini"
    config.write_text("[pytest]\nmarkers = needs\naddopts = -rs -p tests.fix_tools\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-c", config, *options, directory],
        capture_output=True, text=True, cwd=ROOT, timeout=600,
        env={"PATH": "/nowhere", "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip


@pytest.mark.parametrize("workers", ["0", "2"])
def test_skips_are_counted_by_what_enables_them(tmp_path: Path, workers: str) -> None:
    ran = run(tmp_path, "-n", workers)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    *_, counted, last = ran.stdout.splitlines()
    assert counted == "4 skipped: promtool (2), curl (1), DRILL_KILLS (1)"
    assert "1 passed, 4 skipped" in last
    reason = r"^SKIPPED \[\d\] \S+: promtool is not here: apt-get install prometheus$"
    assert re.search(reason, ran.stdout, re.MULTILINE)
    assert "DRILL_KILLS is not set: make drills\n" in ran.stdout


def test_in_ci_a_tool_that_is_absent_fails(tmp_path: Path) -> None:
    ran = run(tmp_path, CI="true")
    assert ran.returncode == 1
    *_, counted, last = ran.stdout.splitlines()
    assert counted == "1 skipped: DRILL_KILLS (1)"
    assert "1 failed, 1 passed, 1 skipped, 2 errors" in last


def test_what_asks_for_a_server_is_told_by_its_fixtures() -> None:
    """However many fixtures lie between: `archived` is made by a server."""
    files = ("tests/integration/test_servers.py", "tests/integration/test_check.py")
    command = (sys.executable, "-m", "pytest", "-n", "0", "--collect-only", "-q", *files)

    def collect(marker: str) -> set[str]:
        ran = subprocess.run([*command, "-m", marker], capture_output=True, text=True, cwd=ROOT)
        return {line.split("[")[0] for line in ran.stdout.splitlines() if "::" in line}

    asking, pure = collect("server"), collect("not server")
    check = "tests/integration/test_check.py::"
    assert (
        "tests/integration/test_servers.py::test_a_server_of_every_supported_major_is_here"
        in asking
    )
    assert f"{check}test_a_file_url_is_a_path" in asking
    assert f"{check}test_what_is_typed_wrong_ends_in_usage_with_one_line" in pure
    assert not asking & pure


def test_no_test_skips_in_another_way() -> None:
    """A skip that nothing counts is a hole in what is tested."""
    otherwise = re.compile(r"\bpytest\.(?:skip\(|importorskip)|mark\.skip|unittest\.skip")
    found = {
        str(path.relative_to(ROOT)): match[0]
        for path in (ROOT / "tests").rglob("*.py")
        if path != Path(__file__) and (match := otherwise.search(path.read_text()))
    }
    assert found == {}
