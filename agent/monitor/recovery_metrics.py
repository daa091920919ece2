"""The metrics of a recovery: the one that runs, and what became of the last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from agent.live.progress import RestoreProgress
from rules.live.facts import OUTCOMES, LiveRestore
from rules.live.logged import LastRestore
from rules.model.evidence import KnownFacts
from rules.model.facts import PositionFacts

# Name, kind, labels after `cluster`, help.
RECOVERY_METRICS: Final = (
    (
        "pitr_recovery_in_progress",
        "gauge",
        (),
        "1 if the server is in recovery: by SQL, by its log while SQL does not answer.",
    ),
    ("pitr_recovery_paused", "gauge", (), "1 if the replay of WAL is paused."),
    ("pitr_recovery_replayed_bytes", "gauge", (), "WAL position replayed up to, as bytes."),
    (
        "pitr_recovery_target_bytes",
        "gauge",
        (),
        "WAL position that replay goes to: the target, or without one the end of the archive.",
    ),
    (
        "pitr_recovery_eta_seconds",
        "gauge",
        (),
        "Time to that position at the pace of the last minute.",
    ),
    (
        "pitr_recovery_last_outcome",
        "gauge",
        ("outcome",),
        "1 for the outcome of the last restore in the log, 0 for the others.",
    ),
    (
        "pitr_recovery_last_reached_target",
        "gauge",
        (),
        "1 if the last restore reached its target, 0 if not.",
    ),
    (
        "pitr_recovery_last_outcome_timestamp_seconds",
        "gauge",
        (),
        "When the last restore came to its outcome.",
    ),
    ("pitr_recovery_events", "counter", ("event",), "Recovery events read from the server log."),
)

Row = tuple[str, tuple[str, ...], float | None]


def recovery_rows(
    known: KnownFacts, progress: RestoreProgress, events: Mapping[str, int]
) -> Iterator[Row]:
    """The samples of one cluster; `events`: how often each came."""
    positions, restore = known.get(PositionFacts), known.get(LiveRestore)
    if positions is not None:
        yield "pitr_recovery_in_progress", (), float(positions.in_recovery)
        yield "pitr_recovery_paused", (), _flag(positions.replay_paused)
        if positions.in_recovery:
            yield "pitr_recovery_replayed_bytes", (), _number(positions.replay_lsn)
    elif restore is not None:
        yield "pitr_recovery_in_progress", (), _flag(restore.in_progress)
        if restore.in_progress:
            yield "pitr_recovery_paused", (), _flag(restore.paused)
            yield "pitr_recovery_replayed_bytes", (), _number(restore.replayed_lsn)
    yield "pitr_recovery_target_bytes", (), _number(progress.goal_lsn)
    yield "pitr_recovery_eta_seconds", (), progress.eta_seconds
    if restore is not None and restore.last is not None:
        yield from _last_restore(restore.last)
    for event, count in sorted(events.items()):
        yield "pitr_recovery_events", (event,), float(count)


def _last_restore(last: LastRestore) -> Iterator[Row]:
    for outcome in OUTCOMES:
        yield "pitr_recovery_last_outcome", (outcome,), float(last.summary.outcome == outcome)
    yield "pitr_recovery_last_reached_target", (), _flag(last.summary.reached_target)
    at = last.at.timestamp() if last.at is not None else None
    yield "pitr_recovery_last_outcome_timestamp_seconds", (), at


def _flag(value: bool | None) -> float | None:
    return None if value is None else float(value)


def _number(value: int | None) -> float | None:
    return None if value is None else float(value)
