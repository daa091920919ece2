"""The pages of the checks are there however Python was started, or it says that they are not."""

from __future__ import annotations

import compileall
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agent.cli import entry
from agent.errors import UNKNOWN
from rules.verdict.check import load_catalogue

ROOT = Path(__file__).parent.parent.parent
PRINT_PAGES = """
import json
from rules.verdict.check import load_catalogue
pages = {c.id: [c.title, c.why, c.look, c.remedy] for c in load_catalogue().values()}
print(json.dumps(pages))
"""


def run(program: str, root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-B", *options, "-c", program],
        cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, text=True, capture_output=True,
        check=False,
    )  # fmt: skip


def test_without_docstrings_the_pages_are_the_same() -> None:
    checks = load_catalogue().values()
    pages = {check.id: [check.title, check.why, check.look, check.remedy] for check in checks}
    assert all(title and why and remedy for title, why, _, remedy in pages.values())
    assert json.loads(run(PRINT_PAGES, ROOT, "-OO").stdout) == pages


def test_without_docstrings_and_sources_it_refuses(tmp_path: Path) -> None:
    for package in ("rules", "parsers"):
        shutil.copytree(ROOT / package, tmp_path / package)
    assert compileall.compile_dir(tmp_path, quiet=1, legacy=True, optimize=2)
    for source in tmp_path.rglob("*.py"):
        source.unlink()
    run_without = run(PRINT_PAGES, tmp_path, "-OO", "-P")
    assert run_without.returncode != 0
    assert (
        "has no docstring and no source file: install the sources, or run Python"
        in (run_without.stderr.splitlines()[-1])
    )


def test_an_incomplete_installation_is_told_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    def body(_: object) -> int:
        raise ImportError("rules.catalogue.wal_gap has no docstring")

    assert entry.run("pitr-check", body, []) == UNKNOWN
    said = capsys.readouterr().err
    assert said == (
        "pitr-check: the installation is not complete: rules.catalogue.wal_gap has no docstring\n"
    )
