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
from parsers.segment import segment_of
from parsers.wal_damage import DamageKind
from parsers.wal_facts import POSTGRES_EPOCH, Transactions, instant
from rules.goal import Goal
from rules.outcome import Cause, Obstacle, Stop
from rules.recovery_start import Start, known_histories
from rules.recovery_unlabelled import doubt
from rules.replay import Piece, replay, serve
from rules.restore import Restore
from rules.timelines import Fork, Stretch, path_of

_SECOND_US: Final = 1_000_000
_SEGMENTS_BACK: Final = 64  # how far before the backup the last transaction is looked for


class Judgement(NamedTuple):
    """Whether the state is the one asked for."""

    reachable: bool | None
    reason: str  # a sentence
    misses: Cause | None = None  # how it is another, where that is known


def judge_stop(
    restore: Restore, goal: Goal, start: Start, stop: Stop, forks: Sequence[Fork]
) -> Judgement:
    """Judge a stop at a target."""
    doubted = _doubt(restore)
    if doubted:
        return doubted
    said = f"recovery stops {describe_stop(stop)}"
    if goal.time_us is not None:
        judged = _before_backup(restore, goal.time_us, start) or _other_branch(
            restore, goal.time_us, start, forks
        )
        if judged:
            return judged._replace(reason=f"{said}, but {judged.reason}")
    other = _other_timeline(restore, goal, start, stop.lsn)
    return other or Judgement(True, said)


def judge_end_of_wal(restore: Restore, goal: Goal, start: Start, obstacle: Obstacle) -> Judgement:
    """Judge an opening at the end of WAL, when no target was set."""
    where = f"recovery runs to the end of WAL at {format_lsn(obstacle.lsn)}"
    doubted = _doubt(restore)
    if doubted:
        return doubted
    if obstacle.newer_wal:
        said = (
            f"recovery opens at {format_lsn(obstacle.lsn)} without a word, though newer WAL exists"
        )
        return Judgement(False, f"{said}: {obstacle.detail}", Cause.ENDS_SHORT)
    if obstacle.kind in set(DamageKind):
        said = f"recovery opens at {format_lsn(obstacle.lsn)} without a word"
        return Judgement(False, f"{said}: {obstacle.detail}", Cause.ENDS_SHORT)
    return _other_timeline(restore, goal, start, None) or Judgement(True, where)


def _doubt(restore: Restore) -> Judgement | None:
    unlabelled = restore.backup.unlabelled
    why = doubt(unlabelled) if unlabelled else None
    return Judgement(None, why) if why else None


def describe_stop(stop: Stop) -> str:
    """A stop in the server's words.

    >>> describe_stop(Stop(position="after", kind="commit", lsn=0, end_lsn=8, xid=7, time_us=0))
    'after commit of transaction 7, time 2000-01-01 00:00:00+00:00'
    """
    time = stop.time.isoformat(sep=" ") if stop.time else ""
    match stop.kind:
        case "commit" | "abort":
            return f"{stop.position} {stop.kind} of transaction {stop.xid}, time {time}"
        case "restore_point":
            return f'at restore point "{stop.name}", time {time}'
        case "lsn":
            return f"{stop.position} the record at {format_lsn(stop.lsn or 0)}"
        case "consistency":
            return f"after reaching consistency at {format_lsn(stop.end_lsn or 0)}"
        case _:
            return f"at the end of WAL, {format_lsn(stop.end_lsn or 0)}"


# -- a time that the backup's own state is newer than ----------------------------------------------


def _before_backup(restore: Restore, time_us: int, start: Start) -> Judgement | None:
    """See whether the time lies before the end of the backup, as far as can be told.

    Labels tell whole seconds. Within the last of them it counts whether anything was committed
    between the time and the backup's start; from there on recovery itself would have stopped.
    """
    finished_us = backup_end_us(restore, start)
    reason = (
        "the backup is newer than the time asked for: the server opens with the state of"
        f" {instant(finished_us).isoformat(sep=' ')} or later"
    )
    newer = Judgement(False, reason, Cause.BEFORE_BACKUP_END)
    if time_us < finished_us:
        return newer
    if time_us >= finished_us + _SECOND_US:
        return None
    before = _transactions_before(restore, start)
    if before is None:
        reason = "whether the backup is newer than the time asked for cannot be said"
        return Judgement(None, reason)
    return newer if max(before.times_us) > time_us else None


def backup_end_us(restore: Restore, start: Start) -> int:
    """When the backup ended, in whole seconds, or at least when it began: TimestampTz."""
    finished = restore.backup.finished_at or datetime.fromtimestamp(start.checkpoint_time, UTC)
    return (finished - POSTGRES_EPOCH) // timedelta(microseconds=1)


def _transactions_before(restore: Restore, start: Start) -> Transactions | None:
    """The transactions of the last segment before the redo location that has any; None: none."""
    wal = restore.wal
    first = segment_of(start.redo_lsn, wal.segment_size)
    for number in range(first, max(first - _SEGMENTS_BACK, -1), -1):
        served = serve(wal, start.path, number, 0)
        if served is None:
            return None
        before = served.scan.facts.transactions.before(start.redo_lsn)
        if before:
            return before
    return None


# -- a time at which the cluster lived on another branch -------------------------------------------


def _other_branch(
    restore: Restore, time_us: int, start: Start, forks: Sequence[Fork]
) -> Judgement | None:
    """See whether the parent of a timeline went on, at the time asked for, past the fork."""
    for fork in forks:
        if time_us >= fork.begun_by_us:
            continue
        parent = _path_up_to(start.path, fork.parent)
        later = _first_transactions(restore, parent, fork.lsn)
        if later is None or min(later.times_us) > time_us:
            continue
        if time_us >= fork.time_us:
            own = _first_transactions(restore, start.path, fork.lsn)
            if own is None or min(own.times_us) > time_us:
                reason = (
                    f"timeline {fork.timeline} left timeline {fork.parent} within the second asked"
                    " for: on which of them the cluster was then cannot be said"
                )
                return Judgement(None, reason)
        else:
            reason = (
                f"at the time asked for the cluster was on timeline {fork.parent}, past"
                f" {format_lsn(fork.lsn)}, where timeline {fork.timeline} left it: set"
                f" recovery_target_timeline = '{fork.parent}'"
            )
            return Judgement(False, reason, Cause.OTHER_TIMELINE)
    return None


def _path_up_to(path: tuple[Stretch, ...], timeline: int) -> tuple[Stretch, ...]:
    """The path of an ancestor."""
    kept = [stretch for stretch in path if stretch.timeline <= timeline]
    last = kept[-1]
    tip = Stretch(timeline=last.timeline, begin_lsn=last.begin_lsn, end_lsn=None)
    return (*kept[:-1], tip)


def _first_transactions(
    restore: Restore, path: tuple[Stretch, ...], lsn: int
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
    restore: Restore, goal: Goal, start: Start, stop_lsn: int | None
) -> Judgement | None:
    """See whether 'latest' overlooks a newer timeline, for a stop at `stop_lsn` (None: its end).

    The server looks for histories upwards, one by one, and never sees one behind a hole.
    """
    if goal.timeline != "latest":
        return None
    timelines = {*known_histories(restore), *restore.wal.newest_names()}
    for timeline in sorted(timelines, reverse=True):
        if timeline <= start.timeline:
            break
        history = restore.histories.get(timeline)
        said = f"timeline {timeline} exists, but recovery stays on timeline {start.timeline}"
        if history is None:
            reason = f"{said}: its history file is missing"
            known = False if stop_lsn is None else None
            return Judgement(known, reason, Cause.OTHER_TIMELINE)
        left = _leaves_at(start, path_of(timeline, history))
        if stop_lsn is None or left is None or stop_lsn > left:
            reason = f"{said}: a history file between the two is missing"
            return Judgement(False, reason, Cause.OTHER_TIMELINE)
    return None


def _leaves_at(start: Start, other: tuple) -> int | None:  # type: ignore[type-arg]
    """Where another path leaves the one that recovery takes; None when they never were one."""
    ours = {stretch.timeline: stretch for stretch in start.path}
    common = [stretch for stretch in other if stretch.timeline in ours]
    if not common:
        return None
    ends = (common[-1].end_lsn, ours[common[-1].timeline].end_lsn)
    return min((end for end in ends if end is not None), default=None)
