"""Ctrl-C at any instant of a program, to all of its processes, as a terminal sends it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fix_check import Archived
from tests.fix_tools import PATIENCE_SECONDS

BIN = Path(sys.executable).parent
LOG = Path(__file__).parent.parent / "parsers" / "logs" / "no_target.log"
INSTANTS = 6  # a program


def begin(words: list[str], engine: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [BIN / words[0], *words[1:]], env=os.environ | {"PITR_ENGINE": engine}, process_group=0,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_until_ours(program: subprocess.Popen[str]) -> None:
    """Until it has come to our code, or to its end: Python's own start is not ours.

    Python catches Ctrl-C as soon as it starts, and our code leaves that to the system first.
    """
    was_caught = False
    while program.poll() is None:
        caught = catches(program.pid, signal.SIGINT)
        if was_caught and not caught:
            return
        was_caught |= caught
        time.sleep(0.001)


def catches(pid: int, number: signal.Signals) -> bool:
    """By proc(5): SigCgt."""
    status = Path(f"/proc/{pid}/status").read_text()
    (mask,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(mask, 16) & 1 << number - 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "engine", [pytest.param("c", marks=pytest.mark.needs("the compiled engine")), "numpy"]
)
@pytest.mark.parametrize("command", ["pitr-check", "pitr-check find", "pitr-watch"])
def test_nothing_but_one_line_is_said_of_it(archived: Archived, command: str, engine: str) -> None:
    named = f"--archive {archived.archive} --backup {archived.backup} --workers 2"
    words = [*command.split(), *(f"--log {LOG} --once" if "watch" in command else named).split()]
    began = time.monotonic()
    whole = begin(words, engine)
    _, word = whole.communicate(timeout=PATIENCE_SECONDS)
    seconds = time.monotonic() - began
    rng = random.Random(f"{command} {engine}")
    for _ in range(INSTANTS):
        program = begin(words, engine)
        wait_until_ours(program)
        time.sleep(rng.uniform(0, 1) * seconds)
        if program.poll() is None:
            os.killpg(program.pid, signal.SIGINT)
        _, said = program.communicate(timeout=PATIENCE_SECONDS)
        assert program.returncode in (3, -signal.SIGINT, whole.returncode)
        assert said in ("", word) or said.startswith(f"{command}: interrupted")
        assert said.count("\n") <= 1
