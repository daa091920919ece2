"""An archive whose file system is gone, seen by the real programs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fix_agent import WatchedAgent
from tests.fix_check import Archived
from tests.fix_tools import PATIENCE_SECONDS

PROGRAM = Path(sys.executable).parent / "pitr-check"
NewAgent = Callable[..., WatchedAgent]


def test_the_agent_calls_it_unknown(archived: Archived, new_agent: NewAgent) -> None:
    archive = archived.archive
    agent = new_agent(archives=[{"url": str(archive)}], backups={"url": str(archived.backup)})
    agent.wait_for(lambda page: page.total("pitr_backups", state="restorable") == 1)
    hidden = archive.rename(archive.with_name("mounted"))
    archive.mkdir()
    page = agent.wait_for(agent.failed("archive"))
    assert page.total("pitr_finding", severity="critical") == 0
    archive.rmdir()
    hidden.rename(archive)
    agent.wait_for(agent.succeeded("archive"))


@pytest.mark.slow
def test_what_stays_empty_is_critical(archived: Archived, new_agent: NewAgent) -> None:
    archive = archived.archive
    agent = new_agent(archives=[{"url": str(archive)}], backups={"url": str(archived.backup)})
    agent.wait_for(lambda page: page.total("pitr_backups", state="restorable") == 1)
    archive.rename(archive.with_name("mounted"))
    archive.mkdir()
    agent.wait_for(agent.failed("archive"))
    page = agent.wait_for(agent.succeeded("archive"))
    agent.wait_for(lambda page: page.total("pitr_finding", id="archive_emptied") == 1)
    assert page.total("pitr_finding", id="collector_failing") == 0


def test_the_check_asks_whether_it_is_mounted(archived: Archived, tmp_path: Path) -> None:
    archive, ledger = archived.archive, tmp_path / "ledger.sqlite"

    def check() -> dict:
        command = [PROGRAM, "--archive", archive, "--backup", archived.backup, "--ledger", ledger]
        result = subprocess.run(
            [*command, "--format", "json"], capture_output=True, timeout=PATIENCE_SECONDS
        )
        document = json.loads(result.stdout)
        assert result.returncode == (0 if document["verdict"] == "ok" else 3)
        return document

    time.sleep(2.5)  # a ledger remembers no file that came in the two seconds before a listing
    assert check()["verdict"] == "ok"
    archive.rename(archive.with_name("mounted"))
    archive.mkdir()
    for _ in range(2):
        document = check()
        assert document["verdict"] == "unknown"
        said = " ".join(finding["summary"] for finding in document["findings"])
        assert f"{archive} is empty, and held " in said
        assert "at the last look: is it mounted?" in said
