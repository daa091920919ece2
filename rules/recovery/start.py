"""Where recovery begins: the target timeline and its path, the checkpoint, the redo location.

Follows InitWalRecovery and validateRecoveryParameters in xlogrecovery.c, and findNewestTimeLine
and readTimeLineHistory in timeline.c, in the server's order: what it finds wrong first, it says.
"""

from __future__ import annotations

from typing import Final

from parsers.files.pg_control import ClusterState
from parsers.lsn import format_lsn
from parsers.sentences import tr
from parsers.values import dataclass
from parsers.wal.facts import CheckpointRecord, CheckpointRedo, Facts
from parsers.wal.page import first_record_lsn
from rules.model.facts import BrokenHistory
from rules.model.goal import Goal
from rules.model.outcome import Obstacle
from rules.model.restore_inputs import RestoreInputs
from rules.model.timelines import Stretch, latest_timeline, path_of, timeline_at
from rules.recovery import server_messages as messages
from rules.recovery.replay import UNREAD, replay
from rules.recovery.tablespaces import directory_in_the_way
from rules.recovery.unlabelled import before_the_archive, enters_archive_at_once, pg_wal_end

_FIRST_NORMAL_XID: Final = 3  # FirstNormalTransactionId
_FROM_STANDBY: Final = "standby"
STREAMED: Final = "streamed"  # an exclusive backup of 13 or 14 says pg_start_backup
_IN_RECOVERY: Final = (ClusterState.SHUT_DOWN_IN_RECOVERY, ClusterState.IN_ARCHIVE_RECOVERY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Recovery gets as far as replaying from here."""

    timeline: int  # the target's
    path: tuple[Stretch, ...]
    redo_lsn: int  # where replay begins, by the checkpoint
    backup_start_lsn: int  # which an XLOG_BACKUP_END must name
    checkpoint_time: int  # when the backup began: seconds since 1970
    begin_lsn: int  # the first record that would be replayed
    min_recovery_lsn: int  # not consistent before; 0: only the backup's end counts
    needs_backup_end: bool
    from_shutdown: bool  # the checkpoint is a shutdown's: nothing was open


@dataclass(frozen=True, slots=True, kw_only=True)
class NoStart:
    """It does not; or (`fatal` None) whether it does cannot be said."""

    reason: str
    fatal: str | None = None
    known: bool = True  # False: cannot be said
    timeline: int | None = None
    obstacle: Obstacle | None = None
    remedy: str | None = None


def find_start(restore: RestoreInputs, goal: Goal) -> Start | NoStart:
    """Do what the server does before its first redo."""
    if restore.server.major >= 19 and goal.xid is not None and goal.xid < _FIRST_NORMAL_XID:
        reason = tr(
            "the server refuses recovery_target_xid = {xid}: no transaction has it, they begin at "
            "{first}",
            xid=goal.xid,
            first=_FIRST_NORMAL_XID,
        )
        return NoStart(reason=reason)
    timeline = _target_timeline(restore, goal)
    if isinstance(timeline, NoStart):
        return timeline
    if restore.backup.label.incremental_from_lsn is not None and restore.server.major >= 17:
        reason = tr("this is an incremental backup: combine it with pg_combinebackup first")
        return NoStart(reason=reason, fatal=messages.INCREMENTAL, timeline=timeline)
    broken = restore.broken_histories.get(timeline)
    if broken is not None:
        return _unusable(timeline, broken)
    path = path_of(timeline, restore.histories.get(timeline))
    first = before_the_archive(restore)
    checkpoint = _find_checkpoint(first, timeline, path)
    if isinstance(checkpoint, NoStart):
        return checkpoint
    problem = _find_redo(first, timeline, path, checkpoint)
    problem = problem or _check_links(restore, timeline)
    problem = problem or _check_timeline(restore, timeline, path, checkpoint)
    if problem is None and restore.backup.unlabelled is not None:
        return _start_unlabelled(restore, timeline, path, checkpoint)
    return problem or _start(restore, timeline, path, checkpoint)


def _unusable(timeline: int, broken: BrokenHistory) -> NoStart:
    """The server refuses a history for its content; what else is wrong it may not mind."""
    reason = tr(
        "the history file of timeline {timeline} cannot be used: {why}",
        timeline=timeline,
        why=broken.reason,
    )
    known = broken.fatal is not None
    return NoStart(reason=reason, fatal=broken.fatal, known=known, timeline=timeline)


def base_timeline(restore: RestoreInputs) -> int:
    """The timeline of the backup's pg_control, by its label where that was not read."""
    control = restore.control
    if control is not None:
        return max(control.checkpoint.timeline, control.min_recovery_timeline)
    backup = restore.backup
    return max(backup.label.timeline, backup.stop_timeline or 0)


def known_histories(restore: RestoreInputs) -> set[int]:
    """Timelines with a history file: the server probes for the file, not for its content."""
    return {*restore.histories, *restore.broken_histories}


def _target_timeline(restore: RestoreInputs, goal: Goal) -> int | NoStart:
    base = base_timeline(restore)
    if goal.timeline == "current":
        return base
    if goal.timeline == "latest":
        return latest_timeline(known_histories(restore), base)
    if goal.timeline != 1 and goal.timeline not in known_histories(restore):
        return NoStart(
            reason=tr("timeline {timeline} has no history file", timeline=goal.timeline),
            fatal=messages.timeline_missing(goal.timeline),
        )
    return goal.timeline


# -- the checkpoint and the redo location --------------------------------------------------------


def _find_checkpoint(
    restore: RestoreInputs, timeline: int, path: tuple[Stretch, ...]
) -> CheckpointRecord | NoStart:
    lsn = restore.backup.label.checkpoint_lsn
    found = _records_at(restore, path, lsn)
    checkpoint = None
    if isinstance(found, Facts):
        checkpoint = next((each for each in found.checkpoints if each.lsn == lsn), None)
    if checkpoint is not None:
        return checkpoint
    obstacle = found if isinstance(found, Obstacle) else None
    unlabelled = restore.backup.unlabelled is not None
    said = messages.checkpoint_lost if unlabelled else messages.checkpoint_missing
    fatal = said(restore.server.major, lsn)
    what = tr("the backup's checkpoint at {lsn} cannot be read", lsn=format_lsn(lsn))
    return _no_record(what, fatal, timeline, obstacle)


def _find_redo(
    restore: RestoreInputs, timeline: int, path: tuple[Stretch, ...], checkpoint: CheckpointRecord
) -> NoStart | None:
    major, redo = restore.server.major, checkpoint.redo_lsn
    if redo >= checkpoint.lsn:
        return None
    found = _records_at(restore, path, redo)
    if isinstance(found, Obstacle) or found.first_lsn != redo:
        what = tr(
            "the record at the backup's redo location {lsn} cannot be read", lsn=format_lsn(redo)
        )
        obstacle = found if isinstance(found, Obstacle) else None
        fatal = messages.redo_missing(major, redo, checkpoint.lsn)
        return _no_record(what, fatal, timeline, obstacle)
    has_own_kind = any(isinstance(e, CheckpointRedo) and e.lsn == redo for e in found.events)
    if major >= 17 and not has_own_kind:
        reason = tr("the record at {lsn} is not the backup's redo point", lsn=format_lsn(redo))
        return NoStart(
            reason=reason, fatal=messages.redo_unexpected(major, redo), timeline=timeline
        )
    return None


def _records_at(restore: RestoreInputs, path: tuple[Stretch, ...], lsn: int) -> Facts | Obstacle:
    """The first stretch of WAL from `lsn` on that has any record, or what is in the way."""
    for step in replay(restore.wal, path, lsn, restore.server.major):
        if isinstance(step, Obstacle):
            return step
        for facts in (step.crossing, step.inside):
            if facts.first_lsn is not None:
                return facts
    raise AssertionError("replay ends with an obstacle")


def _no_record(what: str, fatal: str, timeline: int, obstacle: Obstacle | None) -> NoStart:
    if obstacle is not None:
        what = tr("{what}: {why}", what=what, why=obstacle.detail)
        if obstacle.kind == UNREAD:
            return NoStart(reason=what, known=False, timeline=timeline, obstacle=obstacle)
        if obstacle.kills:
            said = obstacle.fatal
            return NoStart(reason=what, fatal=said, timeline=timeline, obstacle=obstacle)
    return NoStart(reason=what, fatal=fatal, timeline=timeline, obstacle=obstacle)


def _check_links(restore: RestoreInputs, timeline: int) -> NoStart | None:
    """Make the links that tablespace_map names."""
    hazard = directory_in_the_way(restore.backup)
    if hazard is None:
        return None
    return NoStart(
        reason=hazard.reason, fatal=hazard.fatal, timeline=timeline, remedy=hazard.remedy
    )


# -- does the target's history pass through the backup? -------------------------------------------


def _check_timeline(
    restore: RestoreInputs, timeline: int, path: tuple[Stretch, ...], checkpoint: CheckpointRecord
) -> NoStart | None:
    """Hold the path to the label's timeline; to 14 the server takes the checkpoint's own for it."""
    label = restore.backup.label
    believed = label.timeline if restore.server.major >= 15 else checkpoint.timeline
    if timeline_at(path, label.checkpoint_lsn) != believed:
        if not restore.server.signalled:
            reason = tr(
                "whether pg_wal holds the history of timeline {timeline} is not known",
                timeline=timeline,
            )
            return NoStart(reason=reason, known=False, timeline=timeline)
        on_path = label.timeline in {stretch.timeline for stretch in path}
        fatal = messages.timeline_not_child if on_path else messages.timeline_unknown
        fatal_timeline = timeline if on_path else label.timeline
        return NoStart(
            reason=tr(
                "the history of timeline {timeline} does not pass through this backup, taken on "
                "timeline {own} at {lsn}",
                timeline=timeline,
                own=label.timeline,
                lsn=format_lsn(label.checkpoint_lsn),
            ),
            fatal=fatal(fatal_timeline),
            timeline=timeline,
        )
    if believed != label.timeline:
        reason = tr(
            "the server takes a checkpoint of timeline {other} for this backup's own, of timeline "
            "{own}, because both are at {lsn}: what it opens is a mixture",
            other=believed,
            own=label.timeline,
            lsn=format_lsn(label.checkpoint_lsn),
        )
        return NoStart(reason=reason, known=False, timeline=timeline)
    control = restore.control
    if control is None or not control.min_recovery_lsn:
        return None
    minimum, its_timeline = control.min_recovery_lsn, control.min_recovery_timeline
    if timeline_at(path, minimum - 1) == its_timeline:
        return None
    return NoStart(
        reason=tr(
            "the history of timeline {timeline} left timeline {own} before {lsn}, where this "
            "backup ends",
            timeline=timeline,
            own=its_timeline,
            lsn=format_lsn(minimum),
        ),
        fatal=messages.timeline_lacks_minimum(
            restore.server.major, timeline, minimum, its_timeline
        ),
        timeline=timeline,
    )


def _start(
    restore: RestoreInputs, timeline: int, path: tuple[Stretch, ...], checkpoint: CheckpointRecord
) -> Start | NoStart:
    backup, control = restore.backup, restore.control
    from_standby = backup.label.source == _FROM_STANDBY
    if from_standby and control and control.state not in _IN_RECOVERY:
        return NoStart(
            reason=tr("the label is of a standby's backup, but pg_control is not from a standby"),
            fatal=messages.LABEL_INCONSISTENT,
            timeline=timeline,
        )
    minimum = control.min_recovery_lsn if control else 0
    if from_standby and control is None:
        if backup.stop_lsn is None:
            reason = tr(
                "where this standby's backup ends is known neither by manifest nor pg_control"
            )
            return NoStart(reason=reason, known=False, timeline=timeline)
        minimum = backup.stop_lsn
    if not from_standby and backup.label.method != STREAMED and restore.server.major >= 15:
        reason = tr(
            "backup_label does not say that the backup was streamed: whether this server waits for "
            "the backup's end is not known"
        )
        return NoStart(reason=reason, known=False, timeline=timeline)
    redo = checkpoint.redo_lsn
    next_lsn = first_record_lsn(checkpoint.end_lsn, restore.wal.segment_size)
    return Start(
        timeline=timeline,
        path=path,
        redo_lsn=redo,
        backup_start_lsn=redo,
        checkpoint_time=checkpoint.time,
        begin_lsn=redo if redo < checkpoint.lsn else next_lsn,
        min_recovery_lsn=minimum,
        needs_backup_end=not from_standby,
        from_shutdown=checkpoint.shutdown,
    )


def _start_unlabelled(
    restore: RestoreInputs, timeline: int, path: tuple[Stretch, ...], checkpoint: CheckpointRecord
) -> Start:
    """Begin where pg_control says, with the consistency that it knows or that pg_wal reaches."""
    control = restore.control
    assert control is not None, "without a label there is nothing else to begin from"
    redo = checkpoint.redo_lsn
    next_lsn = first_record_lsn(checkpoint.end_lsn, restore.wal.segment_size)
    begin = redo if redo < checkpoint.lsn else next_lsn
    least = redo if redo < checkpoint.lsn else checkpoint.end_lsn
    if enters_archive_at_once(control):
        minimum = max(control.min_recovery_lsn, least)
    else:
        minimum = max(pg_wal_end(restore, path, begin), least)
    return Start(
        timeline=timeline,
        path=path,
        redo_lsn=redo,
        backup_start_lsn=control.backup_start_lsn,
        checkpoint_time=checkpoint.time,
        begin_lsn=begin,
        min_recovery_lsn=minimum,
        needs_backup_end=control.backup_end_required,
        from_shutdown=checkpoint.shutdown,
    )
