"""What the predictor says of each backup: its windows, and what becomes of a target.

A window is the predictor's answer for every instant at once: recovery without a target, along one
timeline, from where the backup is consistent to the last record before the first obstacle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from parsers.wal_facts import instant
from rules.facts import BackupFacts
from rules.goal import Goal
from rules.outcome import Outcome
from rules.recovery import simulate
from rules.restore import Restore
from rules.target import Target, TargetFacts
from rules.timelines import TimelineTree
from rules.windows import Window

# Best first: the state asked for, then what cannot be said, then another state, then none.
_RANK = {True: 0, None: 1, False: 2}


def predict_windows(restore: Restore, tree: TimelineTree) -> tuple[Window, ...] | None:
    """The windows of one backup, by timeline; None when it cannot be said whether it has any."""
    label = restore.backup.label
    windows: list[Window] = []
    unknown = False
    for timeline in tree.timelines:
        if not tree.reaches(timeline, label.timeline, label.start_lsn):
            continue
        own = timeline == label.timeline
        outcome = simulate(restore, Goal(timeline="current" if own else timeline))
        window = _window(restore.backup, timeline, outcome)
        if window is not None:
            windows.append(window)
        unknown |= outcome.outcome == "unknown"
    return None if unknown and not windows else tuple(windows)


def _window(backup: BackupFacts, timeline: int, outcome: Outcome) -> Window | None:
    stop = outcome.stop
    if outcome.outcome != "opens" or stop is None or outcome.consistent_lsn is None:
        return None
    last, obstacle = outcome.last_transaction, outcome.obstacle
    return Window(
        timeline=timeline,
        from_lsn=outcome.consistent_lsn,
        to_lsn=stop.end_lsn if stop.end_lsn is not None else outcome.consistent_lsn,
        obstacle=obstacle.segment if obstacle and obstacle.newer_wal else None,
        from_time=_earliest(backup, outcome),
        to_time=last.time if last else None,
        commits=outcome.commits,
        aborts=outcome.aborts,
    )


def _earliest(backup: BackupFacts, outcome: Outcome) -> datetime | None:
    """The first instant that the backup can be restored to: its end, or a later commit in it."""
    times = [backup.finished_at] if backup.finished_at else []
    if outcome.consistent_time_us is not None:
        times.append(instant(outcome.consistent_time_us))
    return max(times, default=None)


def predict_target(
    target: Target, goal: Goal, restores: Sequence[Restore], note: str = ""
) -> TargetFacts:
    """Predict the target from each backup (oldest first), and choose the best to start from.

    Of backups that serve equally well the newest is chosen: the least WAL is replayed. `note` is
    added to the reason.
    """
    predictions = [(restore, simulate(restore, goal)) for restore in reversed(restores)]
    restore, outcome = min(predictions, key=lambda pair: _rank(pair[1]))
    return TargetFacts(
        target=target,
        timeline=outcome.timeline,
        backup=restore.backup,
        outcome=outcome.outcome,
        reachable=outcome.reachable,
        reason=f"{outcome.reason}{note}",
        prediction=outcome,
    )


def _rank(outcome: Outcome) -> tuple[int, bool]:
    return _RANK[outcome.reachable], outcome.outcome == "fails"


def find_restores(restores: Mapping[str, Restore], backups: Sequence[BackupFacts]) -> list[Restore]:
    """The restores of those backups that are whole, in their order."""
    return [
        restores[backup.url]
        for backup in backups
        if backup.url in restores
        and not backup.bad_files
        and backup.label.incremental_from_lsn is None
    ]
