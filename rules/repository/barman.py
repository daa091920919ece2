"""What `barman restore` (or `recover`) does without --get-wal: it copies WAL, and only that counts.

Follows server.py (get_required_xlog_files) and recovery_executor.py of 3.19. It copies what xlog.db
lists; one file that is gone or cannot be decompressed refuses the whole restore, also for a target
before it. Without any target it is no archive recovery and no new timeline begins, unless a
timeline is asked for; up to 3.12, another timeline than the backup's (3.13, whose xlog.db is like
theirs, is taken for one of them).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from parsers.segment import NameKind, parse_wal_name, segment_name, segment_of
from parsers.sentences import tr
from parsers.wal.facts import instant
from parsers.wal.scan import SegmentScan
from rules.model.facts import BackupFacts
from rules.model.goal import Goal
from rules.model.outcome import Cause
from rules.model.restore_inputs import RestoreInputs
from rules.model.target import TargetFacts
from rules.recovery.prediction import predict_target
from rules.repository.tool_view import ToolView


def choose(view: ToolView) -> str | TargetFacts:
    """The newest backup, for a time the newest that had ended by then."""
    listed = [each for repository in view.read.repositories for each in repository.backups]
    usable = [each for each in listed if each.refused is None]
    if view.goal.time_us is not None:
        at = instant(view.goal.time_us)
        fitting = [each for each in usable if each.finished_at and each.finished_at <= at]
        usable = fitting or usable[:1]
    if not usable:
        return view.refusal("there is no backup to restore")
    return usable[-1].label


def predict(view: ToolView, backup: BackupFacts) -> TargetFacts:
    """What its restore of one backup comes to."""
    listed = view.listed(backup.name)
    goal, restore = view.goal, view.restores[backup.url]
    own = backup.stop_timeline or backup.label.timeline
    is_recovery = goal.type != "none" or (
        view.way.timeline_given and not (_is_old(view) and _timeline(view, backup) == own)
    )
    if goal.time_us is not None and listed is not None and listed.finished_at is not None:
        at = instant(goal.time_us)
        if listed.finished_at > at:
            message = (
                f"The requested target time {at.isoformat(sep=' ')} is before the backup end time"
                f" {listed.finished_at.isoformat(sep=' ')}"
            )
            return view.refusal(message, backup, Cause.BEFORE_BACKUP_END)
    copied = _copied(view, backup, restore)
    if copied is not None:
        lost = sorted(name for name in copied if name not in view.archive.segments)
        if lost:
            message = tr(
                "{name} is listed in xlog.db and is not there: No such file or directory",
                name=lost[0],
            )
            return view.refusal(message, backup, Cause.BEYOND_GAP)
        broken = sorted(name for name in copied if name in view.undecodable)
        if broken:
            message = tr("{name} cannot be decompressed", name=broken[0])
            return view.refusal(message, backup, Cause.BEYOND_GAP)
        restore = _with_only(restore, copied, in_pg_wal=not is_recovery)
    if is_recovery:
        return predict_target(view.target, goal, [restore], view.note)
    goal = replace(goal, timeline="current")
    told = predict_target(view.target, goal, [restore], view.note)
    if told.prediction is None:
        return told
    return replace(told, prediction=replace(told.prediction, new_timeline=None))


def _copied(view: ToolView, backup: BackupFacts, restore: RestoreInputs) -> set[str] | None:
    """The segments that it copies; None: what it lists is not known.

    Up to 3.13, which list when a file was stored and no more, it stops after the first that was
    stored later than a time asked for, and nowhere else; later ones at an LSN, or at the end.
    """
    listed = view.repository.listed_wal
    if listed is None:
        return None
    goal, size = view.goal, restore.wal.segment_size
    timeline = _timeline(view, backup)
    begin, end = backup.label.start_segment, _last_of(backup, size)
    target = None
    if goal.lsn is not None:
        target = segment_name(timeline, segment_of(goal.lsn, size), size)
    copied: set[str] = set()
    for name in listed:  # in the list's order
        parsed = parse_wal_name(name)
        if parsed is None or parsed.kind is not NameKind.SEGMENT or name < begin:
            continue
        if parsed.timeline > timeline:
            continue
        stored_at = listed[name]
        if name > end and stored_at is None and _is_after(name, target, goal):
            break
        copied.add(name)
        if name > end and goal.time_us is not None and stored_at is not None:
            end = name
            if stored_at > instant(goal.time_us).timestamp():
                break
    return copied


def _is_after(name: str, target: str | None, goal: Goal) -> bool:
    return goal.type == "immediate" or (target is not None and name > target)


def _last_of(backup: BackupFacts, size: int) -> str:
    lsn = backup.stop_lsn or backup.label.start_lsn + 1
    timeline = backup.stop_timeline or backup.label.timeline
    return segment_name(timeline, segment_of(lsn - 1, size), size)


def _timeline(view: ToolView, backup: BackupFacts) -> int:
    """Of which timeline, and those before it, WAL is copied."""
    own, goal = backup.stop_timeline or backup.label.timeline, view.goal
    seen = {int(name[:8], 16) for name in view.archive.segments}
    newest = max(seen, default=own)
    if view.way.timeline_given:
        if goal.timeline == "latest":
            return newest
        return own if goal.timeline == "current" else goal.timeline
    return newest if goal.type in ("lsn", "immediate") and not _is_old(view) else own


def _is_old(view: ToolView) -> bool:
    """Whether Barman is of 3.13 or before, by its xlog.db."""
    listed = view.repository.listed_wal
    return any(listed.values()) if listed else False


def _with_only(restore: RestoreInputs, names: Collection[str], *, in_pg_wal: bool) -> RestoreInputs:
    """The restore with the WAL that was copied: for a restore_command, or into pg_wal itself."""
    wal = restore.wal
    archived, carried = wal.archived, wal.carried

    def copied(name: str) -> SegmentScan | None:
        return archived(name) if name in names else None

    def in_either(name: str) -> SegmentScan | None:
        return copied(name) or carried(name)

    def nothing(name: str) -> SegmentScan | None:
        return None

    only = replace(
        wal,
        names=[name for name in wal.names if name in names],
        newest=None,
        archived=nothing if in_pg_wal else copied,
        carried=in_either if in_pg_wal else carried,
        stretch=lambda name: None,
    )
    return replace(restore, wal=only)
