"""The predictor: where PostgreSQL's recovery stops, and what it says.

How recovery goes, and who follows it here:

1. It decides on a timeline and reads backup_label, the checkpoint and the redo location
   (`rules.recovery_start`). Failing that it dies before the first record.
2. It replays record after record (`rules.replay`). Before each it asks whether the target is
   reached *before* it, then applies it, then whether the target is reached *after* it
   (`rules.stop_point`). Some records kill it (`rules.recovery_hazards`).
3. The backup becomes consistent at the end of its XLOG_BACKUP_END, or at the minimum recovery
   point of a standby's backup. A target met earlier is refused: FATAL.
4. Where no record can be read, the WAL ends: without a target the server opens there without a
   word, whatever lies behind; with one it dies. It never looks for the reason of an obstacle.

`simulate` follows PerformWalRecovery and FinishWalRecovery in xlogrecovery.c (StartupXLOG in
xlog.c to 14). It is a prediction about a restore with restore_command over all that `Wal` gives,
recovery.signal, and the backup as it is. It does not know the state of data files or extensions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Final

from parsers.lsn import format_lsn
from parsers.segment import parse_segment_name, segment_of
from parsers.wal_damage import DamageKind
from parsers.wal_facts import Facts, Transactions
from parsers.wal_join import is_quiet
from parsers.wal_locate import RecordPlace
from rules import server_messages as messages
from rules.goal import Goal
from rules.outcome import Ending, Hazard, Obstacle, Outcome, Stop
from rules.reachable import judge_end_of_wal, judge_stop
from rules.recovery_hazards import Watch
from rules.recovery_progress import Progress
from rules.recovery_start import NoStart, Start, find_start, known_histories
from rules.replay import UNREAD, Leap, Piece, replay_fast
from rules.restore import Restore, Wal
from rules.scans import Joined
from rules.stop_point import Found, find_stop, may_stop_in
from rules.timelines import latest_timeline

# wal_decode_buffer_size: how many bytes of records 15 and later read ahead, with recovery_prefetch.
_READ_AHEAD_BYTES: Final = 512 << 10
_NO_PAUSE: Final = (
    "; it is promoted there, not paused: a transaction with more than 64 subtransactions was open"
    " and no hot standby is possible yet"
)
_NO_PREFETCH: Final = {"recovery_prefetch": "off"}


def simulate(restore: Restore, goal: Goal) -> Outcome:
    """Predict a recovery. Pure but for the look-ups of `restore.wal`; never raises for its data."""
    start = find_start(restore, goal)
    if isinstance(start, NoStart):
        return _not_started(start)
    progress = Progress(start=start)
    watch = Watch(restore, start, progress)
    hazard = watch.at_start()
    if hazard:
        return Outcome(
            outcome="fails", reachable=False, reason=hazard.reason, fatal=hazard.fatal,
            timeline=start.timeline, remedy=hazard.remedy,
        )  # fmt: skip
    outcome = _replay(restore, goal, progress, watch)
    needs = {**watch.needs, **outcome.needs}
    return replace(outcome, needs=needs, directories=watch.directories)


def _not_started(start: NoStart) -> Outcome:
    return Outcome(
        outcome="fails" if start.known else "unknown",
        reachable=False if start.known else None,
        reason=start.reason,
        fatal=start.fatal,
        timeline=start.timeline,
        obstacle=start.obstacle,
        remedy=start.remedy,
    )


def _replay(restore: Restore, goal: Goal, progress: Progress, watch: Watch) -> Outcome:
    start = progress.start
    may_leap = partial(_may_leap, restore.wal, goal, progress)
    wal, major = restore.wal, restore.server.major
    steps = replay_fast(wal, start.path, start.begin_lsn, major, may_leap)
    for step in steps:
        if isinstance(step, Obstacle):
            return _at_end_of_wal(restore, goal, progress, watch, step)
        if isinstance(step, Leap):
            _leap(progress, watch, step)
            continue
        outcome = _replay_piece(restore, goal, progress, watch, step)
        if outcome is not None:
            return _look_ahead(restore, outcome, step, steps)
    raise AssertionError("replay ends with an obstacle")


def _replay_piece(
    restore: Restore, goal: Goal, progress: Progress, watch: Watch, piece: Piece
) -> Outcome | None:
    wal = restore.wal
    progress.segments.append(piece.segment)
    begin_lsn = progress.start.begin_lsn if len(progress.segments) == 1 else None

    def locate(lsn: int) -> RecordPlace | None:
        return wal.find_record(piece.segment, lsn, begin_lsn)

    for facts in piece.stretches():
        progress.meet_consistency(facts)
        found = find_stop(goal, facts, progress.consistency, wal.segment_size, locate)
        hazard = watch.first(facts, found.replayed_lsn if found else None)
        if hazard:
            progress.remember_until(facts, hazard.lsn, hazard.lsn)
            return _killed(restore, progress, hazard)
        if found:
            progress.remember_until(facts, found.replayed_lsn, found.read_lsn + found.counted)
            return _stopped(restore, goal, progress, watch, found)
        progress.remember(facts)
    return None


def _may_leap(wal: Wal, goal: Goal, progress: Progress, crossing: Facts, joined: Joined) -> bool:
    """Tell whether a stretch is replayed whole: consistent before it, and no target in it."""
    consistency = progress.consistency
    if consistency is None or goal.type == "immediate" or not is_quiet(crossing):
        return False
    first_lsn = joined.whole.scan.facts.first_lsn
    if first_lsn is None or first_lsn < consistency.lsn:
        return False
    if crossing.last_lsn is not None and find_stop(
        goal, crossing, consistency, wal.segment_size, lambda lsn: None
    ):
        return False
    return not may_stop_in(goal, joined.whole)


def _leap(progress: Progress, watch: Watch, leap: Leap) -> None:
    """Replay a stretch in which nothing happens that could end recovery."""
    progress.segments += leap.joined.names
    if leap.crossing.last_lsn is not None:
        assert watch.first(leap.crossing, None) is None, "it is quiet"
        progress.remember(leap.crossing)
    inside = leap.inside
    quiet = replace(inside, transactions=Transactions())
    assert watch.first(quiet, None) is None, "what is joined is quiet"
    progress.remember_all(inside, leap.joined.whole.summary)


# -- how it ends ---------------------------------------------------------------------------------


def _so_far(restore: Restore, progress: Progress) -> Outcome:
    """What is true of every recovery that has come this far; it fails until told otherwise."""
    consistency = progress.consistency
    return Outcome(
        outcome="fails",
        reachable=False,
        reason="",
        timeline=progress.start.timeline,
        last_transaction=progress.last_completed,
        redo_start_lsn=progress.redo_start_lsn,
        consistent_lsn=consistency.lsn if consistency else None,
        consistent_time_us=progress.consistent_time_us,
        replayed_lsn=progress.replayed_lsn,
        commits=progress.commits,
        aborts=progress.aborts,
        segments_needed=tuple(progress.segments),
        bytes_needed=len(progress.segments) * restore.wal.segment_size,
    )


def _killed(restore: Restore, progress: Progress, hazard: Hazard) -> Outcome:
    """A record kills the server while it is replayed."""
    outcome = replace(
        _so_far(restore, progress),
        reason=hazard.reason,
        fatal=hazard.fatal,
        remedy=hazard.remedy,
        paused_lsn=hazard.lsn if hazard.pauses else None,
    )
    if progress.consistency and progress.consistency.lsn > hazard.lsn:
        return replace(outcome, consistent_lsn=None)
    return outcome


def _stopped(
    restore: Restore, goal: Goal, progress: Progress, watch: Watch, found: Found
) -> Outcome:
    """The target is met."""
    stop = replace(found.stop, segment=_segment_of(restore, progress, found.stop.lsn))
    outcome = replace(_so_far(restore, progress), stop=stop)
    consistency = progress.consistency
    stopped_lsn = stop.end_lsn if found.applied else found.read_lsn
    if consistency is None or (stopped_lsn is not None and stopped_lsn < consistency.lsn):
        reason = "the target lies before the backup is consistent: an older backup is needed"
        return replace(
            outcome, reason=reason, fatal=messages.STOP_BEFORE_CONSISTENCY, consistent_lsn=None
        )
    ending = _ending(restore, goal, watch)
    if ending is Ending.PROMOTED:
        outcome = replace(outcome, redo_done_lsn=found.read_lsn)
        hazard = watch.at_promotion(found.read_lsn)
        if hazard:
            return replace(outcome, reason=hazard.reason, fatal=hazard.fatal)
        outcome = replace(outcome, new_timeline=_new_timeline(restore, progress))
    judged = judge_stop(restore, goal, progress.start, stop, progress.forks)
    reason = judged.reason
    if goal.action == "pause" and ending is Ending.PROMOTED:
        reason += _NO_PAUSE
    return replace(
        outcome,
        outcome="opens",
        reachable=judged.reachable,
        reason=reason,
        misses=judged.misses,
        ending=ending,
    )


def _at_end_of_wal(
    restore: Restore, goal: Goal, progress: Progress, watch: Watch, obstacle: Obstacle
) -> Outcome:
    """No record can be read any more, and the target was not met."""
    obstacle = replace(obstacle, newer_wal=_has_newer(restore, progress.start, obstacle))
    outcome = replace(_so_far(restore, progress), obstacle=obstacle)
    if obstacle.kind == UNREAD:
        return replace(outcome, outcome="unknown", reachable=None, reason=obstacle.detail)
    if obstacle.fatal:
        reason = f"{obstacle.detail}: the server gives up on it"
        needs = _NO_PREFETCH if restore.server.major >= 15 else {}  # else it says so earlier
        return replace(outcome, reason=reason, fatal=obstacle.fatal, needs=needs)
    outcome = replace(outcome, redo_done_lsn=progress.last_lsn)
    where = f"WAL ends at {format_lsn(obstacle.lsn)} ({obstacle.detail})"
    if goal.type != "none":
        reason = f"{where}, before the target"
        return replace(outcome, reason=reason, fatal=messages.TARGET_NOT_REACHED)
    if progress.consistency is None:
        missing = messages.CONSISTENCY_MISSING
        fatal = missing if progress.backup_end else messages.BACKUP_END_MISSING
        return replace(outcome, reason=f"{where}, before the backup is consistent", fatal=fatal)
    return _opened_at_end(restore, goal, progress, watch, outcome, obstacle)


def _opened_at_end(
    restore: Restore,
    goal: Goal,
    progress: Progress,
    watch: Watch,
    outcome: Outcome,
    obstacle: Obstacle,
) -> Outcome:
    """Without a target, the end of WAL is where the server opens."""
    stop = Stop(
        position="at",
        kind="end_of_wal",
        lsn=progress.last_lsn,
        end_lsn=progress.end_lsn,
        segment=_segment_of(restore, progress, progress.last_lsn),
    )
    outcome = replace(outcome, stop=stop)
    hazard = watch.at_promotion(obstacle.lsn)
    if hazard:
        return replace(outcome, reason=hazard.reason, fatal=hazard.fatal)
    judged = judge_end_of_wal(restore, goal, progress.start, obstacle)
    return replace(
        outcome,
        outcome="opens",
        reachable=judged.reachable,
        reason=judged.reason,
        misses=judged.misses,
        ending=Ending.PROMOTED,
        new_timeline=_new_timeline(restore, progress),
    )


def _segment_of(restore: Restore, progress: Progress, lsn: int | None) -> str | None:
    """The file in which the record at `lsn` starts."""
    if lsn is None or not progress.segments:
        return None
    size = restore.wal.segment_size
    first = segment_of(progress.start.begin_lsn, size)
    return progress.segments[segment_of(lsn, size) - first]


def _ending(restore: Restore, goal: Goal, watch: Watch) -> Ending:
    """What recovery_target_action makes of it. Pausing needs a hot standby that is active."""
    if goal.action == "promote":
        return Ending.PROMOTED
    if goal.action == "pause" and restore.server.hot_standby:
        return Ending.PAUSED if watch.snapshot.ready else Ending.PROMOTED
    return Ending.SHUT_DOWN


def _new_timeline(restore: Restore, progress: Progress) -> int:
    return latest_timeline(known_histories(restore), progress.start.timeline) + 1


def _look_ahead(
    restore: Restore, outcome: Outcome, piece: Piece, steps: Iterator[Piece | Leap | Obstacle]
) -> Outcome:
    """Reading ahead, 15 and later may fetch, and die of, a file that the target does not need.

    The buffer holds records, so that segments which a switch left almost empty are no distance.
    """
    stop = outcome.stop
    if outcome.outcome != "opens" or stop is None or restore.server.major < 15:
        return outcome
    passed_bytes = (piece.inside.last_lsn or 0) - (stop.end_lsn or stop.lsn or 0)
    for step in steps:
        if passed_bytes > _READ_AHEAD_BYTES:
            break
        if isinstance(step, Obstacle):
            return replace(outcome, needs=_NO_PREFETCH) if step.fatal else outcome
        facts_of_step = (step.crossing, step.inside)
        for facts in facts_of_step:
            passed_bytes += sum(count.bytes for count in facts.by_rmgr)
    return outcome


def _has_newer(restore: Restore, start: Start, obstacle: Obstacle) -> bool:
    """Tell whether segments of the path lie behind the one that ends the WAL.

    Names alone do not say it of a pg_wal: recycled files wait there under future names.
    """
    wal = restore.wal
    newest = wal.newest_names()
    _, stopped = parse_segment_name(obstacle.segment, wal.segment_size)
    for stretch in start.path:
        if stretch.timeline not in newest:
            continue
        _, last = parse_segment_name(newest[stretch.timeline], wal.segment_size)
        if stretch.end_lsn is not None:
            last = min(last, segment_of(stretch.end_lsn, wal.segment_size))
        first = max(stopped, segment_of(stretch.begin_lsn, wal.segment_size) - 1) + 1
        names = (wal.name(stretch.timeline, number) for number in range(first, last + 1))
        name = next((name for name in names if name in wal.names), None)
        if name is not None:
            return not _is_recycled(wal, name)
    return False


def _is_recycled(wal: Wal, name: str) -> bool:
    scan = wal.archived(name) or wal.carried(name)
    return bool(scan and scan.damage and scan.damage.kind is DamageKind.WRONG_ADDRESS)
