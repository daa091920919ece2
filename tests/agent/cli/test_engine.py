"""Which engine reads WAL: `--version` says it, PITR_ENGINE chooses it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent import __version__, engine
from parsers.wal import kernel

CHECK = Path(sys.executable).with_name("pitr-check")


def run(*arguments: str, **environment: str) -> tuple[int, str, str]:
    clean = {name: value for name, value in os.environ.items() if name != engine.VARIABLE}
    done = subprocess.run(
        [CHECK, *arguments], env=clean | environment, capture_output=True, text=True
    )
    return done.returncode, done.stdout, done.stderr


def test_version_says_which_engine_runs() -> None:
    status, said, _ = run("--version")
    first, second, *_ = said.splitlines()
    assert (status, first) == (0, f"pitr-check {__version__}")
    assert second.startswith("WAL engine: compiled (" if kernel.built() else "WAL engine: numpy;")


@pytest.mark.needs("the compiled engine")
def test_the_slow_one_may_be_chosen() -> None:
    status, said, _ = run("--version", PITR_ENGINE="numpy")
    assert (status, said.splitlines()[1:]) == (
        0, ["WAL engine: numpy, because PITR_ENGINE is set to it"]
    )  # fmt: skip


def test_a_choice_that_is_none_is_refused(tmp_path: Path) -> None:
    status, _, said = run("--archive", str(tmp_path), PITR_ENGINE="fast")
    assert (status, said) == (
        64, "pitr-check: PITR_ENGINE=fast: choose c or numpy, or unset it\n"
    )  # fmt: skip


def test_what_to_type_where_nothing_was_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "built", lambda: None)
    monkeypatch.setattr(engine.shutil, "which", lambda name: None)  # type: ignore[attr-defined]
    monkeypatch.setattr(engine, "_header", lambda: Path("/usr/include/python3.11/Python.h.none"))
    said = list(engine.engine_lines())
    assert said[0] == (
        "WAL engine: numpy; the compiled one, about ten times as fast, was not built"
        " (no C compiler and no /usr/include/python3.11/Python.h.none)"
    )
    assert said[1:3] == ["To build it, type:", "  apt-get install gcc libc6-dev python3-dev"]
    assert said[3].startswith(f"  {sys.executable} -m pip install --force-reinstall --no-deps ")
    monkeypatch.setenv(engine.VARIABLE, "c")
    with pytest.raises(engine.UsageError, match="the compiled engine is not built"):
        engine.check_choice()
