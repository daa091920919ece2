"""The real agent as a process, on a configuration of the test's own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.lab.agent_process import AgentProcess
from agent.lab.metrics_page import MetricsPage
from tests.fix_tools import PATIENCE_SECONDS

# Readings that follow each other fast, so that a test need not wait.
FAST = {"poll": "500ms", "scan": "500ms", "timeout": "2s"}
# No reading fails, and no job is overdue, because the machine is busy.
UNHURRIED = {"timeout": f"{PATIENCE_SECONDS:.0f}s"}


class WatchedAgent(AgentProcess):
    """The agent, and the wait for what it will say."""

    start_seconds = stop_seconds = PATIENCE_SECONDS

    def wait_for(
        self, what: Callable[[MetricsPage], Any], *, seconds: float = PATIENCE_SECONDS
    ) -> MetricsPage:
        """The first page of which `what` is true. Fails with the agent's log if none comes."""
        deadline = time.monotonic() + seconds
        page = None
        while time.monotonic() < deadline:
            page = self.read()
            if page is not None and what(page):
                return page
            time.sleep(0.2)
        lines = "\n".join(
            f"{sample.name}{dict(sample.labels)} {sample.value}"
            for sample in (page.samples if page else ())
            if sample.name.startswith("pitr_")
        )
        raise AssertionError(f"not seen in {seconds} s\n{self.log.read_text()}\n{lines}")

    def restart(self) -> None:
        """Stop it, and start it on the same configuration."""
        self.stop()
        self.start(yaml.safe_load(self.config.read_text()))

    def succeeded(self, collector: str) -> Callable[[MetricsPage], bool]:
        return lambda page: page.total("pitr_collector_success", collector=collector) == 1

    def failed(self, collector: str) -> Callable[[MetricsPage], bool]:
        return lambda page: page.total("pitr_collector_success", collector=collector) == 0


@pytest.fixture
def new_agent(tmp_path: Path) -> Iterator[Callable[..., WatchedAgent]]:
    """`new_agent(dsn=…, archives=…)`: an agent that watches one cluster named `lab`."""
    started: list[WatchedAgent] = []

    def start(
        defaults: dict[str, str] | None = None, ledger: Path | None = None, **sources: Any
    ) -> WatchedAgent:
        directory = tmp_path / f"agent{len(started)}"
        directory.mkdir()
        agent = WatchedAgent(directory)
        started.append(agent)
        cluster = {"name": "lab", "objectives": {"rpo": "2s"}, **sources}
        config = {"clusters": [cluster], "defaults": {**FAST, **(defaults or {})}}
        agent.start(config | ({"ledger": str(ledger)} if ledger else {}))
        return agent

    yield start
    for agent in started:
        agent.stop()
