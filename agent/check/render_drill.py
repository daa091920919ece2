"""A drill in the report: the object of the JSON contract, and the lines for a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agent.check.json_values import json_lsn, json_time
from agent.durations import format_duration
from rules.drill import DrillFacts, Probe

_PHASES = {
    "copy": "copying the backup",
    "start": "starting, up to the first record",
    "replay": "replaying WAL",
    "open": "opening",
    "probes": "asking the probes",
    "amcheck": "pg_amcheck",
    "dump": "pg_dumpall",
    "stop": "shutting down",
    "checksums": "pg_checksums",
}
_RESULTS = {"passed": "ok", "failed": "FAILED", "not_done": "not looked at"}
_OUTCOMES = {
    "promoted": "it was restored and opened",
    "paused": "it was restored and waited at its target",
    "shut_down": "it was restored and shut down at its target",
    "failed": "the restore failed",
    "not_run": "it could not be made",
}


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


def drill_lines(drill: DrillFacts) -> Iterator[str]:
    """What a person reads."""
    yield f"drill of {drill.backup or 'no backup'}, to {drill.target}: {_OUTCOMES[drill.outcome]}"
    if drill.summary is None:
        yield f"  {drill.not_run}"
        return
    yield f"  by PostgreSQL {drill.server}; {_AGREES[drill.agrees]}"
    for disagreement in drill.disagreements:
        yield f"    {disagreement}"
    if drill.cause:
        yield f"  {drill.cause}"
    if drill.timed_out:
        yield f"  {drill.timed_out}"
    elif drill.timeout_seconds:
        yield f"  it was given at most {format_duration(drill.timeout_seconds)}"
    yield from _durations(drill)
    for inspection in drill.inspections:
        yield f"  {inspection.name}: {_RESULTS[inspection.result]}: {inspection.detail}"
    for probe in drill.probes:
        said = probe.error or probe.got
        yield f"  probe {probe.sql}: {'ok' if probe.holds else 'FAILED'}: {said}"


_AGREES = {
    True: "what it did agrees with what was predicted",
    False: "it did otherwise than predicted:",
    None: "nothing definite was predicted",
}


def _durations(drill: DrillFacts) -> Iterator[str]:
    for name, seconds in drill.phases.items():
        more = ""
        if name == "copy" and drill.copied_bytes:
            more = f", {drill.copied_bytes >> 20} MiB"
        rate = drill.replay_bytes_per_second
        if name == "replay" and drill.replayed_bytes and rate:
            more = f", {drill.replayed_bytes / (1 << 20):.1f} MiB at {rate / (1 << 20):.1f} MiB/s"
        yield f"  {seconds:8.2f} s  {_PHASES[name]}{more}"
