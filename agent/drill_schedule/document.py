"""What a drill says: the `drill` of pitr-check's JSON document, read back into a record."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from parsers.lsn import parse_lsn
from parsers.sentences import tr
from rules.drill.comparison import Inspection, Probe
from rules.drill.records import DrillRecord


def read_record(output: bytes, started_at: datetime, seconds: float) -> DrillRecord | None:
    """The record of what was printed; None when there is no document in it."""
    try:
        document = json.loads(output)
    except ValueError:
        return None
    drill = document["drill"]
    if drill is None:
        said = [finding["summary"] for finding in document["findings"]]
        reason = said[0] if said else tr("the check before it ended without a message")
        return not_run(reason, started_at, seconds)
    return _record(drill, started_at, seconds)


def not_run(reason: str, started_at: datetime, seconds: float) -> DrillRecord:
    """The record of a drill that could not be made."""
    return DrillRecord(
        started_at=started_at, seconds=seconds, outcome="not_run", agrees=None, backup=None,
        target=tr("not chosen yet"), reason=reason,
    )  # fmt: skip


def _record(drill: dict[str, Any], started_at: datetime, seconds: float) -> DrillRecord:
    instant, lsn = drill["instant"], drill["instant_lsn"]
    as_they_are = (
        "outcome", "agrees", "backup", "target", "timeline", "reason", "fatal", "server", "phases",
        "copied_bytes", "replayed_bytes", "timeout_seconds",
    )  # fmt: skip
    return DrillRecord(
        started_at=started_at,
        seconds=seconds,
        instant=datetime.fromisoformat(instant) if instant else None,
        lsn=parse_lsn(lsn) if lsn else None,
        timed_out=drill["reason"] if drill["timed_out"] else None,
        disagreements=tuple(drill["disagreements"]),
        inspections=tuple(Inspection(**each) for each in drill["inspections"]),
        probes=tuple(
            Probe(**{name: value for name, value in each.items() if name != "holds"})
            for each in drill["probes"]
        ),
        notes=tuple(drill["notes"]),
        **{name: drill[name] for name in as_they_are},
    )
