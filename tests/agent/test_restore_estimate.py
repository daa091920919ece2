"""How long a restore would take: learned from drills and from logged restores."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from agent.over_time import OverTime
from parsers.log_stream import LogStream
from rules.drills import DrillRecord, DrillsFacts
from rules.evidence import WindowsFacts
from rules.facts import BackupsFacts
from rules.forecast import RestoreEstimateFacts
from rules.restore_facts import LoggedRecovery, RestoreRecord
from tests.rules.test_forecast import LOG, backup, window

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GB = 10**9


def drill(**values: Any) -> DrillRecord:
    """A drill of 2 GB that replayed 1 GB in 20 s."""
    common: dict[str, Any] = {
        "started_at": NOW, "seconds": 60.0, "outcome": "promoted", "agrees": True, "backup": "new",
        "target": "end of WAL", "copied_bytes": 2 * GB, "replayed_bytes": GB,
        "phases": {"copy": 30.0, "replay": 20.0},
    }  # fmt: skip
    return DrillRecord(**(common | values))


def test_drills_teach_the_rate_and_the_time_of_the_copy() -> None:
    """A short replay tells nothing of the pace, nor a little one, nor one that failed."""
    records = (
        drill(),
        drill(phases={"copy": 50.0, "replay": 0.1}),
        drill(replayed_bytes=500, phases={"copy": 50.0, "replay": 3.0}),
        drill(replayed_bytes=None),
        drill(outcome="failed", phases={"copy": 40.0, "replay": 90.0}),
        drill(outcome="not_run", phases={}, copied_bytes=None, replayed_bytes=None),
    )
    drills = DrillsFacts(records=records)
    logged = RestoreRecord()
    stream = LogStream(prefix="%m [%p] ")
    logged.apply_all([*stream.feed(LOG.format(before="").encode()), *stream.end()], NOW)
    backups = BackupsFacts(backups=(backup("new", 0),), unreadable={}, depth="")
    facts: dict[type, Any] = {
        DrillsFacts: drills,
        WindowsFacts: WindowsFacts(by_backup={"new": (window(1, 4 * GB),)}),
        BackupsFacts: backups,
    }
    found = OverTime().work_out(facts, {}, NOW)[RestoreEstimateFacts]
    assert (found.restores_count, found.bytes_per_second) == (1, GB / 20)
    assert (found.replay_seconds, found.copy.seconds, found.seconds) == (80, 40, 120)
    assert "copying 2.00 GB took 40 s in the drill of 2026-01-01 00:00Z" in found.basis
    facts[LoggedRecovery] = logged.snapshot()
    both = OverTime().work_out(facts, {}, NOW)[RestoreEstimateFacts]
    assert (both.restores_count, both.source) == (2, "drill, server log")
