"""A drill in the report: the lines for a person."""

from __future__ import annotations

from collections.abc import Iterator

from agent.durations import format_duration
from rules.drill.comparison import DrillFacts

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
_RESULTS = {"passed": "ok", "failed": "FAILED", "not_done": "not checked"}
_OUTCOMES = {
    "promoted": "it was restored and opened",
    "paused": "it was restored and waited at its target",
    "shut_down": "it was restored and shut down at its target",
    "failed": "the restore failed",
    "not_run": "it could not be made",
}


def drill_lines(drill: DrillFacts) -> Iterator[str]:
    """What a person reads."""
    yield f"drill of {drill.backup or 'no backup'}, to {drill.target}: {_OUTCOMES[drill.outcome]}"
    if drill.summary is None:
        yield f"  {drill.not_run}"
        return
    yield f"  by PostgreSQL {drill.server}; {_AGREES[drill.agrees]}"
    if drill.confinement:
        yield f"  confinement: {drill.confinement}"
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
    True: "it matched the prediction",
    False: "it did not match the prediction:",
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
