"""What supporting a release of PostgreSQL takes: rows. Of a new one, this lists what is lacking."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.pollers.control import CHECKSUMS_BY_MAJOR
from parsers.files import pg_control
from parsers.log.messages import TABLE
from parsers.wal.page import MAJOR_BY_MAGIC, NEWEST_MAJOR
from rules.model.restore_inputs import DEFAULTS_BY_MAJOR
from tests.fix_postgres import BINDIR_OF_19

DATA = Path(__file__).parent / "data"
OLDEST = 13
NO_PACKAGE = 19  # from here on no registry has servers: samples of a real one stand in


def _majors_of_control() -> set[int]:
    return {*pg_control.MAJOR_BY_CATALOG.values(), *pg_control.MAJORS}


def _has_samples(major: int) -> bool:
    """WAL beside its pg_waldump, pg_control beside its pg_controldata."""
    return major < NO_PACKAGE or all(
        any((DATA / kind / str(major)).glob(f"*{suffix}"))
        for kind, suffix in (("wal", ".waldump.txt"), ("control", ".pg_controldata.txt"))
    )


# Where a row is to be added -> whether it is there.
ROWS: dict[str, Callable[[int], bool]] = {
    "parsers/wal/page.py: MAJOR_BY_MAGIC": lambda major: major in MAJOR_BY_MAGIC.values(),
    "parsers/files/pg_control.py: its layout or catalog": lambda m: m in _majors_of_control(),
    "parsers/log/messages/: `majors` that hold it": lambda major: any(
        major in message.majors for message in TABLE
    ),
    "rules/model/restore_inputs.py: defaults, seen": lambda major: major <= max(DEFAULTS_BY_MAJOR),
    "agent/pollers/control.py: where checksums stand": lambda m: m <= max(CHECKSUMS_BY_MAJOR),
    "tests/data/wal, tests/data/control: samples": _has_samples,
}


def lacks(major: int) -> Iterator[str]:
    return (where for where, is_there in ROWS.items() if not is_there(major))


@pytest.mark.parametrize("major", range(OLDEST, NEWEST_MAJOR + 1))
def test_a_supported_release_lacks_nothing(major: int) -> None:
    assert list(lacks(major)) == []


def test_the_next_release_lacks_every_row() -> None:
    """Each is found by its absence: what is added for it is added here as well."""
    assert list(lacks(NEWEST_MAJOR + 1)) == list(ROWS)


def test_a_server_of_19_that_is_named_is_tested(tmp_path: Path) -> None:
    """No registry has one: the programs are stand-ins, nothing of them runs but --version."""
    for name in ("postgres", "pg_ctl", "initdb"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) 19.0'\n")
        program.chmod(0o755)
    asked = ("test_cluster.py", "test_recovery_stops.py", "test_truth.py")
    collected = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0",
         *(f"tests/integration/{each}" for each in asked)],
        cwd=DATA.parents[1], env={**os.environ, BINDIR_OF_19: str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    for each in asked:
        tests = [line for line in collected.stdout.splitlines() if each in line]
        assert any("[pg19" in line or "[19" in line for line in tests), (each, collected.stdout)
