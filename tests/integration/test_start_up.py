"""What a short program imports: nothing that it does not need, by name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.lab.agent_process import AgentProcess
from tests.fix_check import Archived
from tests.fix_tools import PATIENCE_SECONDS

BIN = Path(sys.executable).parent
# Each takes longer to import than the shortest of these programs takes as a whole.
HEAVY = {
    "apscheduler", "bcrypt", "fastapi", "httpx", "jinja2", "multiprocessing", "numpy", "obstore",
    "prometheus_client", "psutil", "psycopg", "pydantic", "pyparsing", "rich", "starlette",
    "unittest", "uvicorn", "yaml",
}  # fmt: skip
LEDGER = {"lz4", "sqlite3"}
# What only some checks need: of many files, of a target, of a word that is wrong.
RARE = {"difflib", "msgspec", "random", "statistics", "tempfile", "uuid", "zoneinfo"}
# Of a running restore, which no check of files sees.
RUNNING = {"parsers.log.messages", "parsers.log.recovery_events", "rules.live.attempt"}
LIGHT = HEAVY | LEDGER | {"asyncio", "msgspec", "google_crc32c", "ssl"}


def imports_of(*command: object, status: int = 0) -> set[str]:
    """The packages and modules that a program has imported when it ends."""
    environment = {**os.environ, "PYTHONPROFILEIMPORTTIME": "1"}
    ran = subprocess.run(
        [sys.executable, BIN / str(command[0]), *map(str, command[1:])],
        env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    assert ran.returncode == status, ran.stderr[-2000:]
    return imported_in(ran.stderr)


def imported_in(said: str) -> set[str]:
    lines = (line for line in said.splitlines() if line.startswith("import time:"))
    modules = {line.rpartition("|")[2].strip() for line in lines}
    return modules | {module.partition(".")[0] for module in modules}


@pytest.mark.parametrize(
    "command", ["pitr-check", "pitr-check find", "pitr-agent", "pitr-agent run", "pitr-watch"]
)
def test_help_imports_nothing_that_works(command: str) -> None:
    assert not imports_of(*command.split(), "--help") & LIGHT


def test_fetch_wal_imports_nothing_for_a_plain_segment(archived: Archived, tmp_path: Path) -> None:
    name = archived.segments[0].name
    fetch = ("pitr-agent", "fetch-wal", "--archive", archived.archive)
    unwanted = LIGHT | {"argparse", "dataclasses", "hashlib", "logging", "pathlib", "threading"}
    assert not imports_of(*fetch, name, tmp_path / "segment") & unwanted
    assert not imports_of(*fetch, "0" * 24, tmp_path / "segment", status=1) & unwanted


@pytest.mark.needs("the compiled engine")
def test_a_check_imports_neither_numpy_nor_what_serves(archived: Archived, tmp_path: Path) -> None:
    check = ("pitr-check", "--archive", archived.archive, "--backup", archived.backup)
    unwanted = HEAVY | LEDGER | RARE | RUNNING
    assert not imports_of(*check) & unwanted
    assert not imports_of(*check, "--format", "json") & unwanted
    ledger = ("--ledger", tmp_path / "ledger.sqlite")
    assert imports_of(*check, *ledger) & LEDGER == LEDGER
    # warm: the ledger knows every segment
    assert not imports_of(*check, *ledger) & (HEAVY | RUNNING)


def test_an_agent_imports_nothing_for_what_it_does_not_do(
    archived: Archived, tmp_path: Path
) -> None:
    agent = AgentProcess(tmp_path, environment={"PYTHONPROFILEIMPORTTIME": "1"})
    sources = {
        "archives": [{"url": str(archived.archive)}],
        "backups": {"url": str(archived.backup)},
    }
    try:
        agent.start({"clusters": [{"name": "a", **sources}]})
    finally:
        agent.stop()
    imported = imported_in(agent.log.read_text())
    assert "fastapi" in imported
    assert not imported & {"asyncssh", "cryptography", "httpx", "jinja2", "obstore", "pyparsing"}
