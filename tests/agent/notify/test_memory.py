"""What outlives the agent, in files of this release, of an older and of a newer one."""

from __future__ import annotations

import logging
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.notify.memory import AlertMemory, read_cuts
from rules.alerting.notifications import Notification
from rules.alerting.state import Alert, AlertState
from rules.capacity.exposure import Footprint, KeptTrail
from rules.fleet.cuts import Cut, WindowCuts
from rules.model.findings import Severity

AT = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
ALERTS = {
    "wal_gap": Alert(
        id="wal_gap", severity=Severity.CRITICAL, state=AlertState.FIRING, since=AT, fired_at=AT,
        resolved_at=None, summaries=("a\nhostile \x1b[2J line",), remedy="mend it",
    )
}  # fmt: skip
TOLD = Notification(
    labels={"alertname": "PitrWalGap", "cluster": 'a "b"'}, annotations={}, starts_at=AT,
    ends_at=None,
)  # fmt: skip
TRAIL = KeptTrail(
    system_identifier=2**64 - 1,
    trail=(
        Footprint(at=AT, timeline=1, insert_lsn=2**63, snapshot="3:3:", archived_to_lsn=None),
        Footprint(at=AT, timeline=1, insert_lsn=2**63 + 8, snapshot="4:4:", archived_to_lsn=16),
    ),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with an alert, a trail, and a notification that waits."""
    path = tmp_path / "ledger-alerts.sqlite"
    memory = AlertMemory(path)
    memory.keep("lab", ALERTS)
    memory.keep_trail("lab", TRAIL)
    memory.add("webhook-1", [TOLD])
    memory.close()
    return path


def change(path: Path, *statements: str) -> None:
    file = sqlite3.connect(path)
    with file:
        for statement in statements:
            file.execute(statement)
    file.close()


def holds_everything(memory: AlertMemory) -> bool:
    return (memory.alerts_of("lab"), memory.trail_of("lab"), memory.waiting("webhook-1")) == (
        ALERTS, TRAIL, {1: TOLD},
    )  # fmt: skip


def test_all_of_it_is_found_again(path: Path) -> None:
    memory = AlertMemory(path)
    assert memory.lasts
    assert holds_everything(memory)
    memory.forget("lab")
    memory.told("webhook-1", [1])
    memory.close()
    empty = AlertMemory(path)
    assert (empty.clusters, empty.trail_of("lab"), empty.waiting("webhook-1")) == ([], None, {})


def test_a_file_of_an_older_release_goes_on(path: Path) -> None:
    """It knew no trails, and had not numbered its tables yet."""
    change(path, "DELETE FROM state WHERE kind = 'trail'", "PRAGMA user_version = 0")
    memory = AlertMemory(path)
    assert memory.alerts_of("lab") == ALERTS
    assert memory.trail_of("lab") is None
    assert memory.waiting("webhook-1") == {1: TOLD}
    memory.keep_trail("lab", TRAIL)
    memory.close()
    assert holds_everything(AlertMemory(path))


def test_what_a_later_release_added_to_it_is_passed_over(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    change(path, "INSERT INTO state VALUES ('novelty', 'lab', 0, '{}')")
    with caplog.at_level(logging.ERROR):
        assert holds_everything(AlertMemory(path))
    assert "the novelty of lab cannot be read" in caplog.text


def test_a_row_that_is_spoilt_costs_itself_alone(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    change(path, "UPDATE state SET value = '{\"trail\": 1}' WHERE kind = 'trail'")
    with caplog.at_level(logging.ERROR):
        memory = AlertMemory(path)
    assert (memory.alerts_of("lab"), memory.trail_of("lab")) == (ALERTS, None)
    assert "the trail of lab cannot be read; starting without it" in caplog.text


def test_a_file_of_a_newer_release_is_put_aside_whole(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    change(path, "PRAGMA user_version = 99")
    with caplog.at_level(logging.ERROR):
        memory = AlertMemory(path)
    assert (memory.lasts, memory.alerts_of("lab")) == (True, {})
    assert "written by a newer release (version 99)" in caplog.text
    aside = path.with_name(f"{path.name}.unreadable")
    assert sqlite3.connect(aside).execute("SELECT count(*) FROM state").fetchone()[0] >= 3


def test_a_file_whose_damage_is_no_text_is_put_aside(path: Path) -> None:
    """SQLite quotes it in its message."""
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE", b"CREATE \xf3ABLE"))
    assert read_cuts(path, "lab") is None
    memory = AlertMemory(path)
    assert (memory.lasts, memory.alerts_of("lab")) == (True, {})
    assert path.with_name(f"{path.name}.unreadable").exists()


def test_what_retention_took_outlives_the_agent(tmp_path: Path) -> None:
    path = tmp_path / "alerts.sqlite"
    at = datetime(2026, 3, 1, tzinfo=UTC)
    cuts = WindowCuts(earliest=at, backup="/b", cuts=(Cut(at=at, left_seconds=7.5),))
    memory = AlertMemory(path)
    memory.keep_cuts("lab", cuts)
    memory.save()
    memory.close()
    assert read_cuts(path, "lab") == cuts
    again = AlertMemory(path)
    assert again.cuts_of("lab") == cuts
    again.forget("lab")
    again.save()
    again.close()
    assert read_cuts(path, "lab") is None
    assert read_cuts(tmp_path / "absent", "lab") is None
