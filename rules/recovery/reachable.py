"""Is the state with which the server opens the one that was asked for?

The server opens, and says nothing, in cases where nobody would have wanted it to: short of a hole
in the archive, at the end of a backup that is newer than the time asked for, on another timeline
than the newest. Those are not reachable.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from parsers.lsn import format_lsn
from parsers.segment import PARTIAL_SUFFIX, segment_of
from parsers.sentences import joined, tr
from parsers.wal.damage import DamageKind
from parsers.wal.facts import POSTGRES_EPOCH, Transactions, instant
from parsers.wal.scan import SegmentScan
from rules.model.goal import Goal
from rules.model.outcome import Cause, LeftBranch, Obstacle, Stop
from rules.model.restore_inputs import RestoreInputs
from rules.model.timelines import Fork, Stretch, in_order, path_of
from rules.recovery.left_branches import crossing_transactions, find_left_branches
from rules.recovery.replay import Piece, is_readable, replay, serve
from rules.recovery.start import Start, known_histories
from rules.recovery.unlabelled import doubt

_SECOND_US: Final = 1_000_000
_SEGMENTS_BACK: Final = 64  # how far before the backup the last transaction is looked for


class StateJudgement(NamedTuple):
    """Whether the state is the one asked for."""

    reachable: bool | None
    reason: str  # a sentence
    misses: Cause | None = None  # how it is another, where that is known
    left_behind: tuple[LeftBranch, ...] = ()


class SeenByReplay(NamedTuple):
    """What a recovery met on its way to the stop."""

    forks: Sequence[Fork]  # passed, in order
    last_us: int | None  # of the last transaction replayed; None: there is none
    consistent_us: int | None  # the latest up to where the backup was consistent; None: none


def judge_stop(
    restore: RestoreInputs, goal: Goal, start: Start, stop: Stop, seen: SeenByReplay
) -> StateJudgement:
    """Judge a stop at a target."""
    doubted = _doubt(restore)
    if doubted:
        return doubted
    said: str = tr("recovery stops {stop}", stop=describe_stop(stop))
    left: tuple[LeftBranch, ...] = ()
    if goal.time_us is not None:
        judged = _before_backup(restore, goal.time_us, start, seen) or _other_branch(
            restore, goal, start, stop, seen
        )
        if judged and not judged.reachable:
            return judged._replace(reason=tr("{said}, but {why}", said=said, why=judged.reason))
        if judged:
            said, left = joined("; ", (said, judged.reason)), judged.left_behind
    other = _other_timeline(restore, goal, start, stop.lsn)
    return other or StateJudgement(True, said, None, left)


def judge_end_of_wal(
    restore: RestoreInputs, goal: Goal, start: Start, obstacle: Obstacle
) -> StateJudgement:
    """Judge an opening at the end of WAL, when no target was set."""
    lsn = format_lsn(obstacle.lsn)
    doubted = _doubt(restore)
    if doubted:
        return doubted
    if obstacle.newer_wal is None:
        reason = tr(
            "recovery runs to the end of WAL at {lsn}; whether WAL follows is not known: what "
            "lies there could not be read",
            lsn=lsn,
        )
        return StateJudgement(None, reason)
    if obstacle.newer_wal:
        reason = tr(
            "PostgreSQL will open at {lsn} without any error, although newer WAL exists: {why}",
            lsn=lsn,
            why=obstacle.detail,
        )
        return StateJudgement(False, reason, Cause.ENDS_SHORT)
    if obstacle.kind in set(DamageKind):
        reason = tr(
            "PostgreSQL will open at {lsn} without any error: {why}", lsn=lsn, why=obstacle.detail
        )
        return StateJudgement(False, reason, Cause.ENDS_SHORT)
    reason = tr("recovery runs to the end of WAL at {lsn}", lsn=lsn)
    return _other_timeline(restore, goal, start, None) or StateJudgement(True, reason)


def _doubt(restore: RestoreInputs) -> StateJudgement | None:
    unlabelled = restore.backup.unlabelled
    why = doubt(unlabelled) if unlabelled else None
    return StateJudgement(None, why) if why else None


def describe_stop(stop: Stop) -> str:
    """A stop in the server's words.

    >>> describe_stop(Stop(position="after", kind="commit", lsn=0, end_lsn=8, xid=7, time_us=0))
    'after commit of transaction 7, time 2000-01-01 00:00:00+00:00'
    """
    time = stop.time.isoformat(sep=" ") if stop.time else ""
    match stop.kind:
        case "commit" | "abort":
            return tr(_AT_TRANSACTIONS[stop.position, stop.kind], xid=stop.xid, time=time)
        case "restore_point":
            return tr('at restore point "{name}", time {time}', name=stop.name, time=time)
        case "lsn":
            before = tr("before the record at {lsn}")
            told = before if stop.position == "before" else tr("after the record at {lsn}")
            return tr(told, lsn=format_lsn(stop.lsn or 0))
        case "consistency":
            return tr("after reaching consistency at {lsn}", lsn=format_lsn(stop.end_lsn or 0))
        case _:
            return tr("at the end of WAL, {lsn}", lsn=format_lsn(stop.end_lsn or 0))


_AT_TRANSACTIONS: Final = {
    ("before", "commit"): tr("before commit of transaction {xid}, time {time}"),
    ("after", "commit"): tr("after commit of transaction {xid}, time {time}"),
    ("before", "abort"): tr("before abort of transaction {xid}, time {time}"),
    ("after", "abort"): tr("after abort of transaction {xid}, time {time}"),
}


# -- a time that the backup's own state is newer than ----------------------------------------------


def _before_backup(
    restore: RestoreInputs, time_us: int, start: Start, seen: SeenByReplay
) -> StateJudgement | None:
    """See whether the backup's own state is newer than the time, as far as can be told.

    What counts is the last transaction before the backup was consistent. One that was replayed is
    no later than the time: recovery would have refused to stop. Else the last before the backup's
    start decides. Where no WAL tells of it, the backup's clock does: nothing ended between its
    start and the stop.
    """
    if seen.consistent_us is not None:
        return None
    before = _transactions_before(restore, start)
    finished_us = backup_end_us(restore, start)
    reason = tr(
        "the backup is newer than the time asked for: the server opens with the state of {time} "
        "or later",
        time=instant(finished_us).isoformat(sep=" "),
    )
    newer = StateJudgement(False, reason, Cause.BEFORE_BACKUP_END)
    if before is not None:
        return newer if max(before.times_us) > time_us else None
    if time_us < _timestamp(start.checkpoint_time):
        return newer
    begun = restore.backup.started_at  # once its checkpoint was complete
    known_us = finished_us if begun is None else _timestamp(begun.timestamp())
    if time_us >= known_us + _SECOND_US:  # labels tell whole seconds
        return None
    reason = tr("whether the backup is newer than the time asked for cannot be said")
    return StateJudgement(None, reason)


def _timestamp(seconds: float) -> int:
    """Seconds since 1970 as TimestampTz."""
    return round((seconds - POSTGRES_EPOCH.timestamp()) * _SECOND_US)


def backup_end_us(restore: RestoreInputs, start: Start) -> int:
    """When the backup ended, in whole seconds, or at least when it began: TimestampTz."""
    finished = restore.backup.finished_at or datetime.fromtimestamp(start.checkpoint_time, UTC)
    return (finished - POSTGRES_EPOCH) // timedelta(microseconds=1)


def _transactions_before(restore: RestoreInputs, start: Start) -> Transactions | None:
    """The transactions of the last segment before the redo location that has any.

    None where none is found, or where what lies between was not read.
    """
    wal = restore.wal
    first = segment_of(start.redo_lsn, wal.segment_size)
    served = serve(wal, start.path, first, 0)
    for number in range(first, max(first - _SEGMENTS_BACK, -1), -1):
        if served is None or not _is_read_until(served.scan, start.redo_lsn):
            return None
        earlier = serve(wal, start.path, number - 1, 0) if number else None
        crossing = crossing_transactions(earlier.scan if earlier else None, served.scan)
        for held in (served.scan.facts.transactions, crossing):
            before = held.before(start.redo_lsn)
            if before:
                return before
        served = earlier
    return None


def _is_read_until(scan: SegmentScan, lsn: int) -> bool:
    return is_readable(scan) and (scan.damage is None or scan.damage.lsn >= lsn)


# -- a time at which the cluster lived on another branch -------------------------------------------


def _other_branch(
    restore: RestoreInputs, goal: Goal, start: Start, stop: Stop, seen: SeenByReplay
) -> StateJudgement | None:
    """See whether another timeline committed, up to the time asked for, what the state lacks.

    The cluster was there then, unless the path's next timeline had begun already. In that case the
    state is the one asked for, and what was left behind is told.
    """
    assert goal.time_us is not None and stop.lsn is not None, "a time stops before a transaction"
    limit_us = goal.time_us + goal.inclusive
    left = find_left_branches(restore, start.path, stop.lsn, limit_us)
    if not left:
        return None
    ahead = next((fork for fork in seen.forks if goal.time_us < fork.begun_by_us), None)
    for branch in left if ahead else ():
        assert ahead is not None
        if branch.is_ancestor and branch.timeline != ahead.parent:
            continue
        over = branch.last_us <= (seen.last_us or branch.last_us - 1)
        if not branch.is_ancestor and branch.commits and over:
            continue
        if not branch.commits:
            reason = tr(
                "whether timeline {timeline} committed more up to then cannot be said: {file} "
                "could not be read",
                timeline=branch.timeline,
                file=branch.unread[0],
            )
            return StateJudgement(None, reason)
        elsewhere = _elsewhere(restore, goal.time_us, start, ahead, branch)
        if elsewhere is not None:
            return elsewhere
    told = tuple(branch for branch in left if branch.commits)
    return StateJudgement(True, _left_behind(told), None, told) if told else None


def _elsewhere(
    restore: RestoreInputs, time_us: int, start: Start, ahead: Fork, branch: LeftBranch
) -> StateJudgement | None:
    """The cluster was on a branch. A fork that a checkpoint begins has only a second for a time."""
    if time_us >= ahead.time_us:
        own = _first_transactions(restore, start.path, ahead.lsn)
        if own is not None and min(own.times_us) <= time_us:
            return None
        reason = tr(
            "timeline {timeline} left timeline {parent} within the second asked for: on which of "
            "them the cluster was then cannot be said",
            timeline=ahead.timeline,
            parent=ahead.parent,
        )
        return StateJudgement(None, reason)
    parted = tr("where timeline {timeline} left it", timeline=ahead.timeline)
    reason = tr(
        "at the time asked for the cluster was on timeline {timeline}, past {lsn}, {parted}: it "
        "has {commits} that this state lacks; set recovery_target_timeline = '{timeline}'",
        timeline=branch.timeline,
        lsn=format_lsn(branch.lsn),
        parted=parted if branch.is_ancestor else tr("where it left this path"),
        commits=branch.describe(),
    )
    partial = next((each for each in branch.segments if each.endswith(PARTIAL_SUFFIX)), None)
    if partial is not None:
        reason = tr(
            "{reason} and copy {file} under its name without {suffix}",
            reason=reason,
            file=partial,
            suffix=PARTIAL_SUFFIX,
        )
    return StateJudgement(False, reason, Cause.OTHER_TIMELINE, (branch,))


def _left_behind(left: Sequence[LeftBranch]) -> str:
    said = (
        tr("timeline {timeline} has {commits}", timeline=each.timeline, commits=each.describe())
        for each in left
    )
    return tr("{said}, which this state does not have", said=joined("; ", said))


def _first_transactions(
    restore: RestoreInputs, path: tuple[Stretch, ...], lsn: int
) -> Transactions | None:
    """The transactions of the first file from `lsn` on that has any; None without one."""
    for step in replay(restore.wal, path, lsn, restore.server.major):
        if not isinstance(step, Piece):
            return None
        for facts in step.stretches():
            if facts.transactions:
                return facts.transactions
    return None


# -- a newer timeline that the server does not see -------------------------------------------------


def _other_timeline(
    restore: RestoreInputs, goal: Goal, start: Start, stop_lsn: int | None
) -> StateJudgement | None:
    """See whether 'latest' overlooks a newer timeline, for a stop at `stop_lsn` (None: its end).

    The server looks for histories upwards, one by one, and never sees one beyond a hole.
    """
    if goal.timeline != "latest":
        return None
    written = restore.wal.newest_names()
    for timeline in sorted({*known_histories(restore), *written}, reverse=True):
        if timeline <= start.timeline:
            break
        history = restore.histories.get(timeline)
        if timeline not in written and history is None:
            reason = tr(
                "timeline {timeline} may exist: its history file cannot be read", timeline=timeline
            )
            return StateJudgement(None, reason)
        if timeline not in written and history and not history.entries:
            continue  # a file's name alone, which has a finding of its own
        both = {"timeline": timeline, "own": start.timeline}
        if history is None:
            reason = tr(
                "timeline {timeline} exists, but recovery stays on timeline {own}: its history "
                "file is missing",
                **both,
            )
            known = False if stop_lsn is None else None
            return StateJudgement(known, reason, Cause.OTHER_TIMELINE)
        left = _leaves_at(start, path_of(timeline, history))
        if stop_lsn is None or left is None or stop_lsn > left:
            reason = tr(
                "timeline {timeline} exists, but recovery stays on timeline {own}: a history file "
                "between the two is missing",
                **both,
            )
            return StateJudgement(False, reason, Cause.OTHER_TIMELINE)
    return None


def _leaves_at(start: Start, other: tuple[Stretch, ...]) -> int | None:
    """Where another path leaves the one that recovery takes; None when they never were one."""
    ours = {stretch.timeline: stretch for stretch in in_order(start.path)}
    common = [stretch for stretch in in_order(other) if stretch.timeline in ours]
    if not common:
        return None
    ends = (common[-1].end_lsn, ours[common[-1].timeline].end_lsn)
    return min((end for end in ends if end is not None), default=None)
