"""A base backup that is being taken, on a real server: phase, pace, and how long still."""

from __future__ import annotations

import itertools
import json
import threading
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from tests.fix_agent import WatchedAgent
from tests.fix_postgres import NewCluster
from tests.fix_tools import PATIENCE_SECONDS

NewAgent = Callable[..., WatchedAgent]
RUNS = "base_backup_running"


@pytest.mark.parametrize("major", [18, pytest.param(16, marks=pytest.mark.campaign)])
def test_its_phase_its_pace_and_its_end_are_told(
    new_cluster: NewCluster, new_agent: NewAgent, major: int
) -> None:
    primary = new_cluster(major)
    agent = new_agent(dsn=primary.dsn)
    page = agent.wait_for(lambda page: page.total("pitr_check_known", id=RUNS) == 1)
    assert page.total("pitr_finding", id=RUNS) == 0
    home, over = primary.account.make_directory(primary.home / "backups"), threading.Event()

    def take() -> None:
        """One after the other, until one was seen."""
        for number in itertools.count():
            primary.base_backup(home / f"slow{number}", "--max-rate=2M")
            if over.is_set():
                return

    taking = threading.Thread(target=take)
    taking.start()
    try:
        told: list[dict[str, Any]] = []

        def streams(page: object) -> bool:
            found = finding(agent)
            told[:] = [found] if found else []
            return bool(found and found["evidence"]["seconds_left"] is not None)

        agent.wait_for(streams)
        evidence = told[0]["evidence"]
        assert evidence["phase"] == "streaming database files"
        assert 0 < evidence["streamed_bytes"] < evidence["total_bytes"]
        assert evidence["bytes_per_second"] > 0
        assert "to go" in told[0]["summary"]
    finally:
        over.set()
        taking.join()
    agent.wait_for(lambda page: page.total("pitr_finding", id=RUNS) == 0)


def finding(agent: WatchedAgent) -> dict[str, Any] | None:
    with urllib.request.urlopen(
        f"{agent.url}/api/v1/clusters/lab", timeout=PATIENCE_SECONDS
    ) as answer:
        found = json.loads(answer.read())["findings"]
    return next((each for each in found if each["id"] == RUNS), None)
