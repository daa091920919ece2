"""Incremental backups that a fault of PostgreSQL made untrustworthy, by what a server says now.

Real ones by their dates: tests/integration/test_catalogue.py.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from agent.monitor.exporter import METRICS
from parsers.files.backup_label import parse_backup_label
from rules.alerting.state import advance
from rules.model.evidence import Evidence
from rules.model.facts import BackupFacts, BackupsFacts, Objectives, PositionFacts
from rules.model.findings import Severity, verdict_of
from rules.verdict.check import judge, load_catalogue

ID = "known_fault_incremental_backup"
CHECK = load_catalogue()[ID]
BEGAN = datetime(2026, 11, 20, tzinfo=UTC)


def increment(major: int, source: str = "primary") -> BackupFacts:
    label = parse_backup_label(
        "START WAL LOCATION: 0/2000028 (file 000000010000000000000002)\n"
        "CHECKPOINT LOCATION: 0/2000080\nBACKUP METHOD: streamed\n"
        f"BACKUP FROM: {source}\nSTART TIME: 2026-11-20 00:00:00 UTC\nLABEL: x\n"
        "START TIMELINE: 1\nINCREMENTAL FROM LSN: 0/1000028\nINCREMENTAL FROM TLI: 1\n".encode()
    )
    return BackupFacts(
        url="/increment", label=label, stop_lsn=None, stop_timeline=None, needs=(),
        started_at=BEGAN, finished_at=None, system_identifier=1, major=major,
        segment_size_bytes=1 << 20, control=None, wal=frozenset(), bad_files=(),
        files_checked=None, manifest_error="", depth="files",
    )  # fmt: skip


def server(version: int, started_before: timedelta, *, in_recovery: bool = False) -> PositionFacts:
    return PositionFacts(
        server_version_num=version, server_at=BEGAN, in_recovery=in_recovery, timeline=1,
        insert_lsn=1, snapshot="1:1:", replay_lsn=None, last_replay_at=None, replay_paused=None,
        started_at=BEGAN - started_before,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("backup", "position", "severity"),
    [
        (increment(18), server(180007, timedelta(hours=1)), None),
        (increment(18), server(180007, timedelta(hours=-1)), Severity.INFO),
        (increment(18), server(180006, timedelta(hours=1)), Severity.WARNING),
        (increment(18), server(180006, timedelta(hours=-1)), Severity.WARNING),
        (increment(18), server(180006, timedelta(hours=1), in_recovery=True), Severity.INFO),
        (increment(18, "standby"), server(180006, timedelta(hours=1)), Severity.INFO),
        (increment(18), None, Severity.INFO),
        (increment(17), server(170013, timedelta(hours=1)), Severity.INFO),
        (increment(19), None, None),
    ],
)
def test_the_server_that_runs_tells_what_made_it(
    backup: BackupFacts, position: PositionFacts | None, severity: Severity | None
) -> None:
    facts: dict[type, object] = {
        BackupsFacts: BackupsFacts(backups=(backup,), unreadable={}, depth="files")
    }
    if position is not None:
        facts[PositionFacts] = position
    evidence = Evidence(now=BEGAN, objectives=Objectives(rpo_seconds=1), facts=facts)
    judged = judge(evidence, {ID: CHECK})
    assert [finding.severity for finding in judged.findings] == ([severity] if severity else [])
    alerts = advance({}, judged, {ID: CHECK}, BEGAN)
    assert set(alerts) == ({ID} if severity is Severity.WARNING else set()), "a note alerts nobody"
    assert verdict_of(judged.findings).status == (severity is Severity.WARNING)


def test_the_metrics_page_says_that_notes_are_not_counted() -> None:
    assert "notes apart" in next(row[3] for row in METRICS if row[0] == "pitr_finding")
