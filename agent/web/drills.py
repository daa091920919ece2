"""The drills of a cluster in the JSON API."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from parsers.lsn import format_lsn
from rules.drill.comparison import Inspection, Probe
from rules.drill.records import DrillRecord, DrillsFacts


class DrillView(BaseModel):
    """One drill that is over. `instant` is the commit time of the transaction that it went to."""

    started_at: datetime
    seconds: float
    outcome: str
    agrees: bool | None
    succeeded: bool
    backup: str | None
    target: str
    timeline: int | None
    instant: datetime | None
    lsn: str | None
    reason: str | None
    fatal: str | None
    server: str | None
    disagreements: list[str]
    phases: dict[str, float]
    copied_bytes: int | None
    replayed_bytes: int | None
    replay_bytes_per_second: float | None
    inspections: list[Inspection]
    probes: list[Probe]
    notes: list[str]
    timed_out: bool


class DrillsView(BaseModel):
    """The drills of a cluster that is drilled on a schedule, the newest first."""

    since: datetime | None
    running_since: datetime | None
    counts: dict[str, int]
    last: list[DrillView]


def view_drills(drills: DrillsFacts | None) -> DrillsView | None:
    """None for a cluster that is not drilled."""
    if drills is None:
        return None
    return DrillsView(
        since=drills.since,
        running_since=drills.running_since,
        counts=dict(drills.counts),
        last=[_view(record) for record in reversed(drills.records)],
    )


def _view(record: DrillRecord) -> DrillView:
    return DrillView(
        started_at=record.started_at,
        seconds=record.seconds,
        outcome=record.outcome,
        agrees=record.agrees,
        succeeded=record.succeeded,
        backup=record.backup,
        target=record.target,
        timeline=record.timeline,
        instant=record.instant,
        lsn=format_lsn(record.lsn) if record.lsn is not None else None,
        reason=record.reason,
        fatal=record.fatal,
        server=record.server,
        disagreements=list(record.disagreements),
        phases=dict(record.phases),
        copied_bytes=record.copied_bytes,
        replayed_bytes=record.replayed_bytes,
        replay_bytes_per_second=record.replay_bytes_per_second,
        inspections=list(record.inspections),
        probes=list(record.probes),
        notes=list(record.notes),
        timed_out=record.timed_out is not None,
    )
