"""A disk that is full, and one that is read-only, under each file of ours: the answer is the same.

A small file system of the test's own is filled to each of several sizes; then it is grown again,
and whoever writes goes on by itself.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.drill_schedule.history import DrillHistory
from agent.evidence.writer import CannotWriteEvidence
from agent.notify.memory import AlertMemory
from rules.drill.records import DrillRecord
from tests.faults.own import _STARTED, OwnFiles, own_files
from tests.fix_tools import need
from tests.signing import Signed, draft, wal_of

SIZES = (4 << 10, 16 << 10, 40 << 10, 80 << 10, 200 << 10)
ENOUGH = 64 << 20


@dataclass
class Disk:
    """A file system of memory."""

    path: Path

    def mount(self, size: int) -> None:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", self.path], check=True
        )

    def again(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", self.path], check=True)

    def full(self, size: int) -> None:
        """No more than this, and what there is now."""
        used = os.statvfs(self.path)
        self.again(f"size={(used.f_blocks - used.f_bfree) * used.f_frsize + size}")

    def grown(self) -> None:
        self.again(f"rw,size={ENOUGH}")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if os.geteuid():
        need("root")  # who mounts file systems
    disk = Disk(tmp_path / "disk")
    disk.path.mkdir()
    disk.mount(ENOUGH)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk.path], check=True)


@pytest.fixture(scope="module")
def own() -> Iterator[OwnFiles]:
    with own_files() as made:
        yield made


STATES = ("read-only", *SIZES)


def spoil(disk: Disk, state: str | int) -> None:
    if isinstance(state, int):
        disk.full(state)
    else:
        disk.again("ro")


@pytest.mark.parametrize("damaged", [False, True])
@pytest.mark.parametrize("state", STATES)
def test_a_ledger(own: OwnFiles, disk: Disk, state: str | int, damaged: bool) -> None:
    archive = own.damaged if damaged else own.sound
    ledger = disk.path / "ledger.sqlite"
    spoil(disk, state)
    assert own.answer(archive, ledger) == own.answers[archive]
    assert own.answer(archive, ledger) == own.answers[archive]
    disk.grown()
    assert own.answer(archive, ledger) == own.answers[archive]
    assert ledger.stat().st_size > 0, "it is written again"


@pytest.mark.parametrize("state", STATES)
def test_drills(disk: Disk, state: str | int, caplog: pytest.LogCaptureFixture) -> None:
    """What was known before is known at a start on such a disk."""
    path = disk.path / "drills.sqlite"
    history = DrillHistory(path)
    add_drill(history, 0)
    history.close()
    spoil(disk, state)
    history = DrillHistory(path)
    assert [each.seconds for each in history.facts("lab").records] == [0.0]
    for number in range(1, 400):
        add_drill(history, number)
    assert history.facts("lab").records[-1].seconds == 399.0, "in memory"
    disk.grown()
    add_drill(history, 400)
    history.close()
    again = [each.seconds for each in DrillHistory(path).facts("lab").records if each.ran]
    assert again == [float(number) for number in range(301, 401)]
    assert not [each for each in caplog.records if each.exc_info]


def add_drill(history: DrillHistory, number: int) -> None:
    history.begin("lab", _STARTED)
    record = DrillRecord(
        started_at=_STARTED, seconds=float(number), outcome="promoted", agrees=True,
        backup="/b" * 900, target="time", lsn=number,
    )  # fmt: skip
    history.end("lab", record, 100)


@pytest.mark.parametrize("state", STATES)
def test_alerts(own: OwnFiles, disk: Disk, state: str | int) -> None:
    path = disk.path / "alerts.sqlite"
    path.write_bytes((own.state / "ledger-alerts.sqlite").read_bytes())
    spoil(disk, state)
    memory = AlertMemory(path)
    before = {cluster: memory.alerts_of(cluster) for cluster in memory.clusters}
    assert before
    for cluster, alerts in before.items():
        memory.forget(cluster)
        memory.keep(cluster, alerts)
    memory.save()
    disk.grown()
    memory.save()
    memory.close()
    again = AlertMemory(path)
    assert {cluster: again.alerts_of(cluster) for cluster in again.clusters} == before


@pytest.mark.parametrize("state", STATES)
def test_statements(own: OwnFiles, disk: Disk, state: str | int) -> None:
    """What was signed stays whole; what could not be is refused, with its reason."""
    subprocess.run(["cp", "-a", f"{own.evidence.home}/.", disk.path], check=True)
    signed = Signed(disk.path)
    before = len(signed.judge().links)
    spoil(disk, state)
    refused = 0
    for number in range(200):
        with contextlib.suppress(CannotWriteEvidence):
            signed.writer().write(draft(number, wal_of(*range(number % 9))))
            continue
        refused += 1
        break
    assert refused
    disk.grown()
    signed.writer().write(draft(999, wal_of(1)))
    judged = signed.judge()
    assert not judged.problems and len(judged.links) > before
