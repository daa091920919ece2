"""The metrics of drills. What is not known is absent, never 0."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rules.drill.records import DRILL_OUTCOMES, DrillsFacts

# Name, kind, labels after `cluster`, help.
DRILL_METRICS: Final = (
    (
        "pitr_drill_last_success_timestamp_seconds",
        "gauge",
        (),
        "When the last drill ended that opened as predicted with nothing bad in it.",
    ),
    (
        "pitr_drill_last_run_timestamp_seconds",
        "gauge",
        (),
        "When the last drill began, made or not.",
    ),
    ("pitr_drill_running", "gauge", (), "1 while a drill of this cluster runs."),
    (
        "pitr_drill_last_outcome",
        "gauge",
        ("outcome",),
        "1 for the outcome of the last drill, 0 for the others.",
    ),
    (
        "pitr_drill_last_agrees",
        "gauge",
        (),
        "1 if PostgreSQL did what was predicted in the last drill that ran, 0 if not.",
    ),
    (
        "pitr_drill_last_duration_seconds",
        "gauge",
        ("phase",),
        "What the last drill that ran took, by phase; `total` is all of it.",
    ),
    (
        "pitr_drill_last_replay_bytes_per_second",
        "gauge",
        (),
        "How fast it replayed WAL, waiting for the archive included.",
    ),
    (
        "pitr_drill_last_target_timestamp_seconds",
        "gauge",
        (),
        "Commit time of the transaction that it went to.",
    ),
    ("pitr_drill_runs", "counter", ("outcome",), "Drills, by how they ended."),
)

Row = tuple[str, tuple[str, ...], float | None]


def drill_rows(drills: DrillsFacts | None) -> Iterator[Row]:
    """The samples of one cluster: name, label values, value; None: not known."""
    if drills is None:
        return
    good, last, ran = drills.last_success, drills.last, drills.last_run
    yield "pitr_drill_running", (), float(drills.running_since is not None)
    yield (
        "pitr_drill_last_success_timestamp_seconds",
        (),
        good.ended_at.timestamp() if good else None,
    )
    for outcome in DRILL_OUTCOMES:
        yield "pitr_drill_runs", (outcome,), float(drills.counts.get(outcome, 0))
        if last is not None:
            yield "pitr_drill_last_outcome", (outcome,), float(last.outcome == outcome)
    if last is not None:
        yield "pitr_drill_last_run_timestamp_seconds", (), last.started_at.timestamp()
    if ran is not None:
        yield "pitr_drill_last_agrees", (), None if ran.agrees is None else float(ran.agrees)
        for phase, seconds in {**ran.phases, "total": ran.seconds}.items():
            yield "pitr_drill_last_duration_seconds", (phase,), seconds
        yield "pitr_drill_last_replay_bytes_per_second", (), ran.replay_bytes_per_second
        instant = ran.instant.timestamp() if ran.instant else None
        yield "pitr_drill_last_target_timestamp_seconds", (), instant
