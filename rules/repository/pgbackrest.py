"""What `pgbackrest restore` does: which backup it takes, when it refuses, what archive-get gives.

Follows src/command/restore/select.c.inc, timeline.c and src/command/archive/get of 2.60. The choice
goes by stop times or LSNs alone, not by lineage; since 2.55 a backup that the target timeline left
before is then refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from parsers.lsn import format_lsn
from parsers.repository.pgbackrest import parse_stored_name
from parsers.wal.facts import instant
from parsers.wal.scan import SegmentScan
from rules.model.facts import BackupFacts
from rules.model.goal import Goal
from rules.model.outcome import Cause
from rules.model.repository import ListedBackup
from rules.model.target import TargetFacts
from rules.model.timelines import latest_timeline
from rules.recovery.prediction import predict_target
from rules.repository.tool_view import ToolView, handing_over, is_undecodable


def choose(view: ToolView) -> str | TargetFacts:
    """The label that it takes, or its refusal."""
    goal = view.goal
    for repository in view.read.repositories:
        if not repository.backups:
            continue
        if goal.type not in ("time", "lsn"):
            return repository.backups[-1].label
        fitting = [each for each in repository.backups if _ended_before(each, goal)]
        if fitting:
            return fitting[-1].label
    if goal.type not in ("time", "lsn"):
        return view.refusal("no backup set found to restore")
    what = "stop time less than" if goal.type == "time" else "lsn less than or equal to"
    message = f"unable to find backup set with {what} '{view.target.value}'"
    return view.refusal(message, cause=Cause.BEFORE_BACKUP_END)


def _ended_before(backup: ListedBackup, goal: Goal) -> bool:
    """Compared in whole seconds, as it reads both."""
    if goal.type == "lsn":
        return backup.stop_lsn is not None and goal.lsn is not None and backup.stop_lsn <= goal.lsn
    if backup.finished_at is None or goal.time_us is None:
        return False
    return int(backup.finished_at.timestamp()) < int(instant(goal.time_us).timestamp())


def predict(view: ToolView, backup: BackupFacts) -> TargetFacts:
    """What its restore of one backup comes to."""
    goal = view.goal
    if goal.type == "immediate":  # it takes no timeline then
        goal = replace(goal, timeline="current")
    refused = _wrong_timeline(view, backup, goal)
    if refused is not None:
        return view.refusal(refused, backup, Cause.FORK_BEFORE_BACKUP)
    restore = handing_over(view.restores[backup.url], dict(_handed_over(view)))
    return predict_target(view.target, goal, [restore], view.note)


def _wrong_timeline(view: ToolView, backup: BackupFacts, goal: Goal) -> str | None:
    """Why the target timeline cannot be followed from the backup; None: it can."""
    own, histories = backup.label.timeline, view.archive.histories
    if goal.timeline == "current":
        return None
    target = latest_timeline(histories, own) if goal.timeline == "latest" else goal.timeline
    if target == own:
        return None
    entries = histories[target].entries if target in histories else ()
    start = backup.label.start_lsn
    left = [entry.switch_lsn for entry in entries if entry.timeline == own]
    if any(start < lsn for lsn in left):
        return None
    if left:
        return (
            f"target timeline {target:X} forked from backup timeline {own:X} at"
            f" {format_lsn(left[-1])} which is before backup lsn of {format_lsn(start)}"
        )
    return (
        f"backup timeline {own:X}, lsn {format_lsn(start)} is not in the history of target"
        f" timeline {target:X}"
    )


def _handed_over(view: ToolView) -> Iterator[tuple[str, SegmentScan | None]]:
    """Segments that archive-get gives otherwise than the first sound file of them.

    Several contents under one name are refused. Of the repositories the first whose file can be
    decoded serves, whatever is in it.
    """
    for name, files in view.copies.items():
        contents = {stored.sha1 for file, _ in files if (stored := parse_stored_name(file.name))}
        if len(contents) > 1:
            yield name, None
            continue
        if all(scanned.sound for _, scanned in files):
            continue
        decoded = (scanned.scan for _, scanned in files if not is_undecodable(scanned.scan))
        yield name, next(decoded, None)
    for name in view.undecodable:
        if name not in view.copies:
            yield name, None
