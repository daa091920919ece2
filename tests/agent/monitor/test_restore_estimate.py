"""How long a restore would take: learned from drills and from logged restores."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from agent.monitor.over_time import OverTime
from parsers.log.stream import LogStream
from rules.capacity.forecast import RestoreEstimateFacts
from rules.case.case import Case
from rules.case.context import Context
from rules.drill.records import DrillRecord, DrillsFacts
from rules.live.facts import RestoreRecord
from rules.model.evidence import WindowsFacts
from rules.model.facts import BackupsFacts
from tests.rules.capacity.test_forecast import LOG, backup, window

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
    case = Case(context=Context(depth="records")).having(
        drills,
        WindowsFacts(by_backup={"new": (window(1, 4 * GB),)}),
        backups,
    )
    found = OverTime(poll_seconds=15.0).observe(case, {}, NOW).get(RestoreEstimateFacts)
    assert found is not None and found.copy is not None
    assert (found.restores_count, found.bytes_per_second) == (1, GB / 20)
    assert (found.replay_seconds, found.copy.seconds, found.seconds) == (80, 40, 120)
    assert "copying 1.9 GiB took 40 s in the drill of 2026-01-01 00:00Z" in found.basis
    both = (
        OverTime(poll_seconds=15.0)
        .observe(case.having(logged.snapshot()), {}, NOW)
        .get(RestoreEstimateFacts)
    )
    assert both is not None
    assert (both.restores_count, both.source) == (2, "drill, server log")
