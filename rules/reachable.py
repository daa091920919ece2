"""Is the state with which the server opens the one that was asked for?

The server opens, and says nothing, in cases where nobody would have wanted it to: short of a hole
in the archive, at the end of a backup that is newer than the time asked for, on another timeline
than the newest. Those are not reachable.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from parsers.lsn import format_lsn
from parsers.wal_damage import DamageKind
from parsers.wal_facts import POSTGRES_EPOCH, instant
from rules.goal import Goal
from rules.outcome import Obstacle, Stop
from rules.recovery_start import Start, known_histories
from rules.restore import Restore
from rules.timelines import path_of

Judgement = tuple[bool | None, str]  # reachable, and a sentence


def judge_stop(restore: Restore, goal: Goal, start: Start, stop: Stop) -> Judgement:
    """Judge a stop at a target."""
    said = f"recovery stops {describe_stop(stop)}"
    if goal.type == "time" and goal.time_us is not None:
        began = _backup_end_us(restore, start)
        if goal.time_us < began:
            return False, (
                f"{said}, but the backup is newer than the time asked for: the server opens with"
                f" the state of {instant(began).isoformat(sep=' ')} or later"
            )
    other = _other_timeline(restore, goal, start, stop.lsn)
    return other or (True, said)


def judge_end_of_wal(restore: Restore, goal: Goal, start: Start, obstacle: Obstacle) -> Judgement:
    """Judge an opening at the end of WAL, when no target was set."""
    where = f"recovery runs to the end of WAL at {format_lsn(obstacle.lsn)}"
    if obstacle.newer_wal:
        return False, (
            f"recovery takes {obstacle.detail} for the end of WAL and opens at"
            f" {format_lsn(obstacle.lsn)} without a word, though newer WAL exists"
        )
    if obstacle.kind in set(DamageKind):
        return False, (
            f"recovery opens at {format_lsn(obstacle.lsn)} without a word: {obstacle.detail}"
        )
    return _other_timeline(restore, goal, start, None) or (True, where)


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


def _backup_end_us(restore: Restore, start: Start) -> int:
    """An instant that the backup's state is not older than: its end, or at least its begin."""
    finished = restore.backup.finished_at or datetime.fromtimestamp(start.checkpoint_time, UTC)
    return (finished - POSTGRES_EPOCH) // timedelta(microseconds=1)


def _other_timeline(
    restore: Restore, goal: Goal, start: Start, stop_lsn: int | None
) -> Judgement | None:
    """See whether 'latest' overlooks a newer timeline, for a stop at `stop_lsn` (None: its end).

    The server looks for histories upwards, one by one, and never sees one behind a hole.
    """
    if goal.timeline != "latest":
        return None
    for timeline in sorted(known_histories(restore) | _timelines_with_wal(restore), reverse=True):
        if timeline <= start.timeline:
            break
        history = restore.histories.get(timeline)
        said = f"timeline {timeline} exists, but recovery stays on timeline {start.timeline}"
        if history is None:
            reason = f"{said}: its history file is missing"
            return (False if stop_lsn is None else None), reason
        left = _leaves_at(start, path_of(timeline, history))
        if stop_lsn is None or left is None or stop_lsn > left:
            return False, f"{said}: a history file between the two is missing"
    return None


def _timelines_with_wal(restore: Restore) -> set[int]:
    return {int(prefix, 16) for prefix in {name[:8] for name in restore.wal.names}}


def _leaves_at(start: Start, other: tuple) -> int | None:  # type: ignore[type-arg]
    """Where another path leaves the one that recovery takes; None when they never were one."""
    ours = {stretch.timeline: stretch for stretch in start.path}
    common = [stretch for stretch in other if stretch.timeline in ours]
    if not common:
        return None
    ends = (common[-1].end_lsn, ours[common[-1].timeline].end_lsn)
    return min((end for end in ends if end is not None), default=None)
