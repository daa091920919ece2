"""Drills on a schedule by a real agent: good, failing, broken off, killed; and what is left."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from agent.lab.metrics_page import MetricsPage
from tests.fix_agent import FAST, WatchedAgent
from tests.fix_check import Archived
from tests.fix_drill import DrillGround, Past
from tests.fix_prometheus import ask
from tests.fix_tools import PATIENCE_SECONDS
from tests.waiting import wait_until

OFTEN, RARELY = "*/2 * * * * *", "0 3 1 1 *"
RUNS = "pitr_drill_runs_total"


@dataclass
class Drilled:
    """The agent over a backup that it drills, with its state on disk."""

    agent: WatchedAgent
    ground: DrillGround
    archive: Path
    backup: Path
    ledger: Path

    def start(self, schedule: str, **cluster: Any) -> None:
        self.agent.start(self.config(schedule, **cluster))

    def stop(self) -> None:
        """End the agent; a drill that it had to leave cleans up by itself."""
        self.agent.stop()
        wait_until(self.has_nothing_left)

    def reload(self, schedule: str, **cluster: Any) -> None:
        self.agent.config.write_text(yaml.safe_dump(self.config(schedule, **cluster)))
        assert self.agent.pid is not None
        os.kill(self.agent.pid, signal.SIGHUP)

    def config(self, schedule: str, **cluster: Any) -> dict[str, Any]:
        drill = _drill(self, schedule)
        return {
            "clusters": [{
                "name": "lab", "archives": [{"url": str(self.archive)}],
                "backups": {"url": str(self.backup)}, "drill": drill, **cluster,
            }],
            "defaults": FAST,
            "ledger": str(self.ledger),
        }  # fmt: skip

    def wait_for(self, what: Callable[[MetricsPage], Any]) -> MetricsPage:
        return self.agent.wait_for(what, seconds=PATIENCE_SECONDS)

    def drills(self) -> list[dict[str, Any]]:
        """The newest first."""
        shown = ask(f"{self.agent.url}/api/v1/clusters/lab")
        return shown["drills"]["last"]

    def catch(self) -> psutil.Process:
        """A drill stopped in the middle: it copies or recovers, and goes on when it is told."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            child = self.child() if self.has_begun() else None
            if child is None:
                time.sleep(0.005)
                continue
            try:
                child.suspend()
                if child.status() == psutil.STATUS_STOPPED and self.has_begun():
                    return child
                child.resume()  # too late: the next
            except psutil.NoSuchProcess:
                continue
        raise AssertionError(f"no drill was seen\n{self.agent.log.read_text()}")

    def has_begun(self) -> bool:
        return any(self.ground.directory.glob("pitr-drill-*/data/global"))

    def child(self) -> psutil.Process | None:
        for child in psutil.Process(self.agent.pid).children():
            try:
                if any("agent.cli.check" in word for word in child.cmdline()):
                    return child
            except psutil.Error:
                continue
        return None

    def has_nothing_left(self) -> bool:
        return not self.ground.areas() and not self.ground.processes()


@pytest.fixture
def drilled(archived: Archived, ground: DrillGround, tmp_path: Path) -> Iterator[Drilled]:
    agent = WatchedAgent(tmp_path)
    ledger = tmp_path / "state" / "ledger.sqlite"
    ledger.parent.mkdir()
    drilled = Drilled(agent, ground, archived.archive, archived.backup, ledger)
    yield drilled
    drilled.stop()


def test_drills_succeed_on_their_schedule(
    pasts: Callable[[int], Past], ground: DrillGround, tmp_path: Path
) -> None:
    """Random instants over two timelines; all that is shown of them."""
    past = pasts(18)
    agent = WatchedAgent(tmp_path)
    drilled = Drilled(agent, ground, past.archive, past.plain, tmp_path / "ledger.sqlite")
    probe = {"sql": "SELECT count(*) >= 0 FROM t", "expected": True}
    try:
        drilled.start(OFTEN, drill=_drill(drilled, OFTEN, probes=[probe]))
        page = drilled.wait_for(lambda page: (page.total(RUNS, outcome="promoted") or 0) >= 2)
        shown = drilled.drills()
    finally:
        drilled.stop()
    first, second = shown[-1], shown[-2]
    for drill in (first, second):
        assert (drill["outcome"], drill["agrees"], drill["succeeded"]) == ("promoted", True, True)
        assert drill["server"].startswith("18.") and drill["probes"][0]["got"] == "t"
    assert "to watch the drill: pitr-watch --pgdata" in agent.log.read_text()
    assert page.total("pitr_drill_last_outcome", outcome="promoted") == 1
    assert page.total("pitr_drill_last_agrees") == 1
    assert page.total("pitr_drill_last_success_timestamp_seconds") == pytest.approx(
        time.time(), abs=600
    )
    assert page.total("pitr_drill_last_duration_seconds", phase="copy") is not None
    assert page.total("pitr_drill_last_replay_bytes_per_second") > 0
    # a day at least, however often: 2 s apart would be overdue while it is made
    assert page.total("pitr_objective_seconds", objective="drill_age") == 86400
    assert {f for f in page.findings() if f.startswith("drill_")} <= {"drill_left_out"}


def test_a_fault_fires_with_its_cause_and_is_over_after_a_good_drill(drilled: Drilled) -> None:
    """A file of the backup is gone that recovery needs at its very end."""
    file = drilled.backup / "pg_multixact" / "offsets" / "0000"
    aside = Path(shutil.move(file, drilled.backup.parent / "aside"))
    drilled.start(OFTEN, objectives={"drill_age": "1s"})
    found = {"drill_failed", "drill_overdue", "drill_disagreed"}
    page = drilled.wait_for(lambda page: found <= set(page.findings()))
    assert page.total("pitr_drill_last_success_timestamp_seconds") is None
    assert page.total("pitr_drill_last_outcome", outcome="failed") == 1
    failed = drilled.drills()[0]
    assert failed["fatal"].startswith("could not access status of transaction")
    assert "pg_multixact/offsets/0000" in failed["reason"]
    assert failed["disagreements"][0] == "outcome: predicted opens, was fails"
    failures = page.total(RUNS, outcome="failed")
    shutil.move(aside, file)
    drilled.reload(OFTEN, objectives={"drill_age": "1h"})
    page = drilled.wait_for(
        lambda page: page.total(RUNS, outcome="promoted") and not found & set(page.findings())
    )
    assert page.total(RUNS, outcome="failed") >= failures, "a reload keeps the history"
    assert "drill_left_out" in page.findings(), "the embedded server has no amcheck"


def test_a_drill_that_is_broken_off_leaves_nothing_and_is_made_after_the_restart(
    drilled: Drilled,
) -> None:
    drilled.start(OFTEN)
    drilled.wait_for(lambda page: (page.total(RUNS, outcome="promoted") or 0) >= 1)
    child = drilled.catch()
    drilled.wait_for(lambda page: page.total("pitr_drill_running") == 1)
    (before,) = {len(drilled.drills())}
    agent = psutil.Process(drilled.agent.pid)
    agent.terminate()
    wait_until(lambda: _is_told_to_end(child, drilled.agent.log))
    child.resume()
    wait_until(lambda: not child.is_running() and drilled.has_nothing_left())
    drilled.agent.stop()
    drilled.start(RARELY)  # what was broken off is made nevertheless
    page = drilled.wait_for(lambda page: page.total(RUNS, outcome="promoted") == before + 1)
    assert len(drilled.drills()) == before + 1
    assert "drill_not_run" not in page.findings()


def test_a_killed_agent_leaves_nothing_after_its_next_start(drilled: Drilled) -> None:
    drilled.start(OFTEN)
    child = drilled.catch()
    os.kill(drilled.agent.pid or 0, signal.SIGKILL)
    child.kill()  # it too, with all it has begun
    drilled.agent.stop()
    left = drilled.ground.directory / "pitr-drill-of-long-ago"  # by one that was killed before
    left.mkdir(mode=0o700)
    (left / "data").mkdir()
    drilled.start(RARELY)
    page = drilled.wait_for(lambda page: "drill_not_run" in page.findings())
    wait_until(drilled.has_nothing_left)
    assert page.total(RUNS, outcome="not_run") == 1
    (record, *_) = drilled.drills()
    assert record["reason"] == "the agent was killed while it ran"
    drilled.reload(OFTEN)
    drilled.wait_for(lambda page: "drill_not_run" not in page.findings())


def _drill(drilled: Drilled, schedule: str, **more: Any) -> dict[str, Any]:
    return {
        "schedule": schedule, "directory": str(drilled.ground.directory), "nice": False, **more,
    }  # fmt: skip


def _is_told_to_end(child: psutil.Process, log: Path) -> bool:
    """SIGTERM waits for it while it is stopped (proc(5): ShdPnd, SigPnd)."""
    assert child.is_running(), f"it ended while it was stopped\n{log.read_text()}"
    status = Path(f"/proc/{child.pid}/status").read_text()
    pending = [line.split()[1] for line in status.splitlines() if "Pnd:" in line]
    return any(int(mask, 16) & 1 << (signal.SIGTERM - 1) for mask in pending)
