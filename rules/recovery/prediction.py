"""What the predictor says of each backup, in the terms of the report: windows, and a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from parsers.sentences import tr
from parsers.wal.damage import DamageKind
from rules.model.counted import counted
from rules.model.facts import BackupFacts
from rules.model.goal import Goal
from rules.model.restore_inputs import RestoreInputs
from rules.model.target import Target, TargetFacts
from rules.model.timelines import TimelineTree
from rules.model.windows import Window
from rules.recovery.clock_skew import find_left_out
from rules.recovery.predictor import simulate
from rules.recovery.restorable import RestorableWindow, best_restore, find_window
from rules.recovery.target_cause import cause_of


def predict_windows(restore: RestoreInputs, tree: TimelineTree) -> tuple[Window, ...] | None:
    """The windows of one backup, by timeline; None when it cannot be said whether it has any.

    What is opened without a backup_label is nothing that can be relied on: no window.
    """
    if restore.backup.unread_files:
        return None
    timelines = _timelines(restore, tree)
    unlabelled = restore.backup.unlabelled
    if unlabelled is not None and not unlabelled.cold:
        fails = simulate(restore, Goal()).outcome == "fails"
        return () if fails else None
    found = [find_window(restore, timeline) for timeline in timelines]
    windows = tuple(_window(window) for window in found if window is not None)
    if windows:
        return windows
    outcomes = (simulate(restore, Goal(timeline=timeline)) for timeline in timelines)
    return None if any(outcome.outcome == "unknown" for outcome in outcomes) else ()


def _timelines(restore: RestoreInputs, tree: TimelineTree) -> list[int]:
    """The timelines whose path passes through the backup."""
    label = restore.backup.label
    return [t for t in tree.timelines if tree.reaches(t, label.timeline, label.checkpoint_lsn)]


def _window(found: RestorableWindow) -> Window:
    obstacle = found.obstacle
    ends_early = obstacle is not None and (
        obstacle.newer_wal is not False or obstacle.kind in set(DamageKind)
    )
    return Window(
        timeline=found.timeline,
        from_lsn=found.from_lsn,
        to_lsn=found.to_lsn,
        obstacle=obstacle.segment if obstacle and ends_early else None,
        from_time=found.from_time,
        to_time=found.to_time,
        commits=found.commits,
        aborts=found.aborts,
        segments=found.segments,
    )


def predict_target(
    target: Target, goal: Goal, restores: Sequence[RestoreInputs], note: str = ""
) -> TargetFacts:
    """Predict the target from the best backup. `note` is added to the reason."""
    best = best_restore(restores, goal)
    assert best is not None, "asked only with a restore"
    restore, outcome = best
    left_out = find_left_out(restore, goal, outcome)
    if left_out is not None:
        later = counted(left_out.count, "later transaction")
        note = tr("; leaves out {later} with an earlier time{note}", later=later, note=note)
    return TargetFacts(
        target=target,
        timeline=outcome.timeline,
        backup=restore.backup,
        outcome=outcome.outcome,
        reachable=outcome.reachable,
        reason=tr("{reason}{note}", reason=outcome.reason, note=note),
        cause=cause_of(target.type, outcome),
        prediction=outcome,
        left_out=left_out,
    )


def is_whole(backup: BackupFacts) -> bool:
    """Whether nothing of it is proven to be absent: an increment alone is no backup."""
    return not backup.bad_files and backup.label.incremental_from_lsn is None


def find_restores(
    restores: Mapping[str, RestoreInputs], backups: Sequence[BackupFacts]
) -> list[RestoreInputs]:
    """The restores of those backups that are whole, in their order.

    One without a label counts only where no other is.
    """
    whole = [
        restores[backup.url] for backup in backups if backup.url in restores and is_whole(backup)
    ]
    return [each for each in whole if each.backup.unlabelled is None] or whole
