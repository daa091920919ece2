"""A drill as an object of the JSON contract."""

from __future__ import annotations

from typing import Any

from agent.documents.values import json_lsn, json_time
from rules.drill.comparison import DrillFacts, Probe


def drill_document(drill: DrillFacts) -> dict[str, Any]:
    """The `drill` of the contract, every key always there."""
    summary = drill.summary
    stop = summary.stop if summary else None
    rate = drill.replay_bytes_per_second
    return {
        "outcome": drill.outcome,
        "agrees": drill.agrees,
        "backup": drill.backup,
        "target": drill.target,
        "timeline": drill.timeline,
        "instant": json_time(drill.instant),
        "instant_lsn": json_lsn(drill.instant_lsn),
        "server": drill.server,
        "confinement": drill.confinement,
        "reason": drill.not_run or drill.timed_out or drill.cause,
        "timeout_seconds": drill.timeout_seconds,
        "timed_out": drill.timed_out is not None,
        "fatal": summary.fatal_message if summary else None,
        "stop": {
            "position": stop.position,
            "kind": stop.kind,
            "xid": stop.xid,
            "name": stop.name,
            "lsn": json_lsn(stop.lsn),
            "time": json_time(stop.time),
        }
        if stop
        else None,
        "redo_start_lsn": json_lsn(summary.redo_start_lsn) if summary else None,
        "consistent_lsn": json_lsn(summary.consistent_lsn) if summary else None,
        "redo_done_lsn": json_lsn(summary.redo_done_lsn) if summary else None,
        "last_transaction_at": json_time(summary.last_transaction_at) if summary else None,
        "new_timeline": summary.new_timeline if summary else None,
        "disagreements": list(drill.disagreements),
        "phases": {name: round(seconds, 3) for name, seconds in drill.phases.items()},
        "copied_bytes": drill.copied_bytes,
        "replayed_bytes": drill.replayed_bytes,
        "replay_bytes_per_second": round(rate) if rate is not None else None,
        "segments_fetched": drill.segments_fetched,
        "inspections": [
            {"name": each.name, "result": each.result, "detail": each.detail}
            for each in drill.inspections
        ],
        "probes": [_probe(probe) for probe in drill.probes],
        "notes": list(drill.notes),
    }


def _probe(probe: Probe) -> dict[str, Any]:
    return {
        "database": probe.database,
        "sql": probe.sql,
        "expected": probe.expected,
        "got": probe.got,
        "error": probe.error,
        "asked": probe.asked,
        "holds": probe.holds,
    }
