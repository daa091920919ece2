"""A drill in the report: the lines for a person."""

from __future__ import annotations

from collections.abc import Iterator

from agent.durations import format_duration
from parsers.sentences import indented, tr
from rules.drill.comparison import DrillFacts

_PHASES = {
    "copy": tr("copying the backup"),
    "start": tr("starting, up to the first record"),
    "replay": tr("replaying WAL"),
    "open": tr("opening"),
    "probes": tr("asking the probes"),
    "amcheck": tr("pg_amcheck"),
    "dump": tr("pg_dumpall"),
    "stop": tr("shutting down"),
    "checksums": tr("pg_checksums"),
}
_RESULTS = {"passed": tr("ok"), "failed": tr("FAILED"), "not_done": tr("not checked")}
_OUTCOMES = {
    "promoted": tr("it was restored and opened"),
    "paused": tr("it was restored and waited at its target"),
    "shut_down": tr("it was restored and shut down at its target"),
    "failed": tr("the restore failed"),
    "not_run": tr("it could not be made"),
}


def drill_lines(drill: DrillFacts) -> Iterator[str]:
    """What a person reads."""
    yield tr(
        "drill of {backup}, to {target}: {outcome}",
        backup=drill.backup or tr("no backup"),
        target=drill.target,
        outcome=_OUTCOMES[drill.outcome],
    )
    if drill.summary is None:
        yield indented(drill.not_run or "")
        return
    yield tr(
        "  by PostgreSQL {server}; {agrees}", server=drill.server, agrees=_AGREES[drill.agrees]
    )
    if drill.confinement:
        yield tr("  confinement: {confinement}", confinement=drill.confinement)
    yield from (indented(disagreement, 4) for disagreement in drill.disagreements)
    if drill.cause:
        yield indented(drill.cause)
    if drill.timed_out:
        yield indented(drill.timed_out)
    elif drill.timeout_seconds:
        duration = format_duration(drill.timeout_seconds)
        yield tr("  it was given at most {duration}", duration=duration)
    yield from _durations(drill)
    for inspection in drill.inspections:
        yield tr(
            "  {name}: {result}: {detail}",
            name=inspection.name,
            result=_RESULTS[inspection.result],
            detail=inspection.detail,
        )
    for probe in drill.probes:
        yield tr(
            "  probe {sql}: {result}: {said}",
            sql=probe.sql,
            result=_RESULTS["passed" if probe.holds else "failed"],
            said=probe.error or probe.got,
        )


_AGREES = {
    True: tr("it matched the prediction"),
    False: tr("it did not match the prediction:"),
    None: tr("nothing definite was predicted"),
}


def _durations(drill: DrillFacts) -> Iterator[str]:
    for name, seconds in drill.phases.items():
        more = ""
        if name == "copy" and drill.copied_bytes:
            more = f", {drill.copied_bytes >> 20} MiB"
        rate = drill.replay_bytes_per_second
        if name == "replay" and drill.replayed_bytes and rate:
            more = tr(
                ", {size:.1f} MiB at {rate:.1f} MiB/s",
                size=drill.replayed_bytes / (1 << 20),
                rate=rate / (1 << 20),
            )
        yield tr(
            "  {seconds:8.2f} s  {phase}{more}", seconds=seconds, phase=_PHASES[name], more=more
        )
