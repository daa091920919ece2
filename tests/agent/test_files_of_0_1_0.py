"""Files that release 0.1.0 left: the ledger, and beside it the alerts and the drills.

An agent of that release watched tests/data/archives/gap_middle at /tmp/pitr-0.1.0, as cluster lab,
with a receiver that always fails and a drill that finds no PostgreSQL. It wrote `killed/` up to
SIGKILL; `closed/` is the same with a trail of exposure, and a drill of cluster other begun, closed.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.archive.directory import list_archive
from agent.archive.scanner import SegmentReader, SegmentReadings
from agent.drill_schedule.history import DrillHistory
from agent.ledger.store import Ledger
from agent.notify.memory import AlertMemory
from rules.alerting.state import AlertState
from rules.capacity.exposure import Footprint, KeptTrail
from tests.unpack import unpack_tar

DATA = Path(__file__).parent.parent / "data"
AT = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
FOUND = {"backup_files_bad", "no_restorable_backup", "wal_gap", "drill_not_run"}
SEGMENT_BYTES = 1 << 20
TICK_SECONDS = 2.5  # a file must have been still for two seconds before its reading is remembered


@pytest.fixture(params=["killed", "closed"])
def left(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    unpack_tar(DATA / "state" / "0.1.0.tar.xz", tmp_path)
    directory: Path = tmp_path / request.param
    return directory


def files_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def assert_rolls_back(path: Path) -> None:
    """Bytes 18 and 19 of an SQLite file: 1 a rollback journal, 2 a write-ahead log."""
    assert path.read_bytes()[18:20] == b"\x01\x01"
    assert not [name for name in files_in(path.parent) if name.startswith(f"{path.name}-")]


def test_alerts_go_on_as_they_stood(left: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = left / "ledger-alerts.sqlite"
    for _ in range(2):  # as 0.1.0 left it, and as it was converted
        memory = AlertMemory(path)
        assert memory.lasts
        alerts = memory.alerts_of("lab")
        assert set(alerts) == FOUND
        assert alerts["wal_gap"].state is AlertState.FIRING
        assert alerts["wal_gap"].fired_at is not None
        (receiver,) = memory._waiting
        assert memory.knows(receiver)
        waiting = memory.waiting(receiver)
        assert sorted(each.labels["alertname"] for each in waiting.values()) == sorted(
            f"Pitr{''.join(word.title() for word in name.split('_'))}" for name in FOUND
        )
        trail = KeptTrail(
            system_identifier=2**64 - 1,
            trail=(
                Footprint(
                    at=AT, timeline=1, insert_lsn=2**63, snapshot="3:3:", archived_to_lsn=None
                ),
                Footprint(
                    at=AT, timeline=1, insert_lsn=2**63 + 8, snapshot="4:4:", archived_to_lsn=16
                ),
            ),
        )
        assert memory.trail_of("lab") == (trail if left.name == "closed" else None)
        memory.close()
        assert_rolls_back(path)
    assert caplog.messages == []


def test_drills_are_remembered(left: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = left / "ledger-drills.sqlite"
    for _ in range(2):
        history = DrillHistory(path)
        assert history.lasts
        drills = history.facts("lab")
        (record,) = drills.records
        assert (record.outcome, drills.counts) == ("not_run", {"not_run": 1})
        assert record.reason is not None and record.reason.startswith("/nowhere has no working")
        assert drills.since is not None and drills.running_since is None
        killed = history.facts("other")
        if left.name == "closed":
            assert [each.reason for each in killed.records] == ["the agent was killed while it ran"]
        history.close()
        assert_rolls_back(path)
    assert caplog.messages == []


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("gap_middle")
    unpack_tar(DATA / "archives" / "gap_middle.tar.xz", directory)
    time.sleep(TICK_SECONDS)
    return directory / "archive"


def read(archive: Path, ledger: Ledger | None) -> SegmentReadings:
    facts = list_archive(str(archive))
    reader = SegmentReader(1, ledger=ledger)
    try:
        size = facts.segment_size_bytes
        assert size is not None
        return asyncio.run(reader.read(facts, facts.segments, size, "records"))
    finally:
        reader.close()


def test_the_ledger_is_filled_anew_without_a_word(
    left: Path, archive: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Another parser wrote it, and its files are elsewhere: what is read is read again, once."""
    plain = read(archive, None)
    said: list[str] = []
    ledger = Ledger(str(left / "ledger.sqlite"), said.append)
    first = read(archive, ledger)
    ledger.close()
    again = Ledger(str(left / "ledger.sqlite"), said.append)
    second = read(archive, again)
    again.close()
    for readings in (first, second):
        assert readings.scans.keys() == plain.scans.keys()
        for name, scanned in plain.scans.items():
            assert readings.scans[name].scan == scanned.scan
    assert {n: s.read_at for n, s in second.scans.items()} == {
        n: s.read_at for n, s in first.scans.items()
    }, "remembered"
    assert said == [] and caplog.messages == []
