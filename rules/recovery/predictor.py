"""The predictor: where PostgreSQL's recovery stops, and what it says.

How recovery goes, and who follows it here:

1. It decides on a timeline and reads backup_label, the checkpoint and the redo location
   (`rules.recovery.start`). Failing that it dies before the first record.
2. It replays record after record (`rules.recovery.replay`). Before each it asks whether the target
   is reached *before* it, then applies it, then whether the target is reached *after* it
   (`rules.recovery.stop_point`). Some records kill it (`rules.recovery.hazards`).
3. The backup becomes consistent at the end of its XLOG_BACKUP_END, or at the minimum recovery
   point of a standby's backup. A target met earlier is refused: FATAL.
4. Where no record can be read, the WAL ends: without a target the server opens there without a
   word, whatever follows; with one it dies. It never looks for the reason of an obstacle.

`simulate` follows PerformWalRecovery and FinishWalRecovery in xlogrecovery.c (StartupXLOG in
xlog.c to 14). It is a prediction about a restore with restore_command over all that `Wal` gives,
recovery.signal (`rules.recovery.unsignalled`: without one), and the backup as it is. It does not
know the state of data files or extensions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Final

from parsers.lsn import format_lsn
from parsers.segment import parse_segment_name, segment_of
from parsers.sentences import tr
from parsers.wal.damage import DamageKind
from parsers.wal.record import RecordPlace
from rules.model.goal import Goal
from rules.model.outcome import Ending, Hazard, Obstacle, Outcome, Stop
from rules.model.restore_inputs import RestoreInputs, Wal
from rules.model.sequence import number_segments
from rules.model.timelines import in_order, latest_timeline
from rules.recovery import server_messages as messages
from rules.recovery.hazards import HazardTracker
from rules.recovery.progress import ReplayProgress
from rules.recovery.reachable import SeenByReplay, judge_end_of_wal, judge_stop
from rules.recovery.replay import UNREAD, Piece, Until, replay, size_of_records
from rules.recovery.start import NoStart, Start, find_start, known_histories
from rules.recovery.stop_point import FoundStop, find_stop
from rules.recovery.unsignalled import GOAL, OPENS_AS_IT_WAS, needs_consistency, without_signal

# wal_decode_buffer_size: how many bytes of records 15 and later read ahead, with recovery_prefetch.
_READ_AHEAD_BYTES: Final = 512 << 10
_PROBES: Final = 8  # files that are asked whether they are WAL
_NO_PREFETCH: Final = {"recovery_prefetch": "off"}


def simulate(restore: RestoreInputs, goal: Goal) -> Outcome:
    """Predict a recovery. Pure but for the look-ups of `restore.wal`; never raises for its data."""
    if not restore.server.signalled:
        restore, goal = without_signal(restore), GOAL
    outcome = _simulate(restore, goal)
    if outcome.fatal is None:
        return outcome
    major, unlabelled = restore.server.major, restore.backup.unlabelled is not None
    return replace(outcome, panics=messages.is_panic(outcome.fatal, major, unlabelled=unlabelled))


def _simulate(restore: RestoreInputs, goal: Goal) -> Outcome:
    start = find_start(restore, goal)
    if isinstance(start, NoStart):
        return _not_started(start)
    progress = ReplayProgress(start=start)
    watch = HazardTracker(restore, start, progress)
    hazard = watch.at_start()
    if hazard:
        return Outcome(
            outcome="fails", reachable=False, reason=hazard.reason, fatal=hazard.fatal,
            timeline=start.timeline, remedy=hazard.remedy,
        )  # fmt: skip
    outcome = _replay(restore, goal, progress, watch)
    needs = {**watch.needs, **outcome.needs}
    if outcome.ending is Ending.PAUSED and restore.server.raises_hot_standby:
        needs["hot_standby"] = "on"  # it would be shut down instead
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


def _replay(
    restore: RestoreInputs, goal: Goal, progress: ReplayProgress, watch: HazardTracker
) -> Outcome:
    start, until = progress.start, Until(goal, progress.start.min_recovery_lsn)
    steps = replay(restore.wal, start.path, start.begin_lsn, restore.server.major, until)
    for step in steps:
        if isinstance(step, Obstacle):
            return _at_end_of_wal(restore, goal, progress, watch, step)
        outcome = _replay_piece(restore, goal, progress, watch, step)
        if outcome is not None:
            return _look_ahead(restore, outcome, step, steps)
    raise AssertionError("replay ends with an obstacle")


def _replay_piece(
    restore: RestoreInputs, goal: Goal, progress: ReplayProgress, watch: HazardTracker, piece: Piece
) -> Outcome | None:
    wal = restore.wal
    first, *others = piece.segments
    progress.segments.append(first)
    begin_lsn = progress.start.begin_lsn if len(progress.segments) == 1 else None

    def locate(lsn: int) -> RecordPlace | None:
        return wal.find_record(first, lsn, begin_lsn)

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
    progress.segments += others
    if piece.summary is not None:
        progress.count(piece.summary)
    return None


# -- how it ends ---------------------------------------------------------------------------------


def _so_far(restore: RestoreInputs, progress: ReplayProgress) -> Outcome:
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


def _killed(restore: RestoreInputs, progress: ReplayProgress, hazard: Hazard) -> Outcome:
    """A record kills the server while it is replayed."""
    outcome = replace(
        _by_hazard(_so_far(restore, progress), hazard),
        remedy=hazard.remedy,
        paused_lsn=hazard.lsn if hazard.pauses else None,
    )
    if progress.consistency and progress.consistency.lsn > hazard.lsn:
        return replace(outcome, consistent_lsn=None)
    return outcome


def _by_hazard(outcome: Outcome, hazard: Hazard) -> Outcome:
    if not hazard.known:
        return replace(outcome, outcome="unknown", reachable=None, reason=hazard.reason)
    return replace(outcome, reason=hazard.reason, fatal=hazard.fatal)


def _stopped(
    restore: RestoreInputs,
    goal: Goal,
    progress: ReplayProgress,
    watch: HazardTracker,
    found: FoundStop,
) -> Outcome:
    """The target is met."""
    stop = replace(found.stop, segment=_segment_of(restore, progress, found.stop.lsn))
    outcome = replace(_so_far(restore, progress), stop=stop)
    consistency = progress.consistency
    stopped_lsn = stop.end_lsn if found.applied else found.read_lsn
    if consistency is None or (stopped_lsn is not None and stopped_lsn < consistency.lsn):
        early = tr("the target lies before the backup is consistent: an older backup is needed")
        return replace(
            outcome, reason=early, fatal=messages.STOP_BEFORE_CONSISTENCY, consistent_lsn=None
        )
    ending = _ending(restore, goal, watch)
    if ending is Ending.PROMOTED:
        outcome = replace(outcome, redo_done_lsn=found.read_lsn)
    at_end = watch.at_promotion if ending is Ending.PROMOTED else watch.at_shutdown
    hazard = at_end(found.read_lsn) if ending is not Ending.PAUSED else None
    if hazard:
        return _by_hazard(outcome, hazard)
    if ending is Ending.PROMOTED:
        outcome = replace(outcome, new_timeline=_new_timeline(restore, progress))
    last = outcome.last_transaction
    seen = SeenByReplay(progress.forks, last.time_us if last else None, progress.consistent_time_us)
    judged = judge_stop(restore, goal, progress.start, stop, seen)
    reason = judged.reason
    if goal.action == "pause" and ending is Ending.PROMOTED:
        reason = tr(
            "{reason}; it is promoted there, not paused: a transaction with more than 64 "
            "subtransactions was open and no hot standby is possible yet",
            reason=reason,
        )
    return replace(
        outcome,
        outcome="opens",
        reachable=judged.reachable,
        reason=reason,
        misses=judged.misses,
        ending=ending,
        left_behind=judged.left_behind,
    )


def _at_end_of_wal(
    restore: RestoreInputs,
    goal: Goal,
    progress: ReplayProgress,
    watch: HazardTracker,
    obstacle: Obstacle,
) -> Outcome:
    """No record can be read any more, and the target was not met."""
    obstacle = replace(obstacle, newer_wal=_has_newer(restore, progress.start, obstacle))
    outcome = replace(_so_far(restore, progress), obstacle=obstacle)
    if restore.server.major >= 15 and _is_met_early(obstacle):
        outcome = replace(outcome, needs=_NO_PREFETCH)
    if obstacle.kind == UNREAD:
        return replace(outcome, outcome="unknown", reachable=None, reason=obstacle.detail)
    if obstacle.kills:
        reason = tr("{obstacle}: the server gives up on it", obstacle=obstacle.detail)
        return replace(outcome, reason=reason, fatal=obstacle.fatal)
    last_lsn = progress.last_lsn
    redo_done_lsn = last_lsn if last_lsn is None else obstacle.refused_lsn or last_lsn
    outcome = replace(outcome, redo_done_lsn=redo_done_lsn)
    where = {"lsn": format_lsn(obstacle.lsn), "why": obstacle.detail}
    if goal.type != "none":
        reason = tr("WAL ends at {lsn} ({why}), before the target", **where)
        return replace(outcome, reason=reason, fatal=messages.TARGET_NOT_REACHED)
    if progress.consistency is None and needs_consistency(restore):
        missing = messages.CONSISTENCY_MISSING
        fatal = missing if progress.backup_end else messages.BACKUP_END_MISSING
        reason = tr("WAL ends at {lsn} ({why}), before the backup is consistent", **where)
        return replace(outcome, reason=reason, fatal=fatal)
    return _opened_at_end(restore, goal, progress, watch, outcome, obstacle)


def _opened_at_end(
    restore: RestoreInputs,
    goal: Goal,
    progress: ReplayProgress,
    watch: HazardTracker,
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
        return _by_hazard(outcome, hazard)
    if not restore.server.signalled:
        return replace(outcome, outcome="opens", reason=OPENS_AS_IT_WAS)
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


def _segment_of(restore: RestoreInputs, progress: ReplayProgress, lsn: int | None) -> str | None:
    """The file in which the record at `lsn` starts."""
    if lsn is None or not progress.segments:
        return None
    size = restore.wal.segment_size
    first = segment_of(progress.start.begin_lsn, size)
    return progress.segments[segment_of(lsn, size) - first]


def _ending(restore: RestoreInputs, goal: Goal, watch: HazardTracker) -> Ending:
    """What recovery_target_action makes of it. Pausing needs a hot standby that is active."""
    if goal.action == "promote":
        return Ending.PROMOTED
    if goal.action == "pause" and restore.server.hot_standby:
        return Ending.PAUSED if watch.snapshot.ready else Ending.PROMOTED
    return Ending.SHUT_DOWN


def _new_timeline(restore: RestoreInputs, progress: ReplayProgress) -> int:
    return latest_timeline(known_histories(restore), progress.start.timeline) + 1


def _look_ahead(
    restore: RestoreInputs, outcome: Outcome, piece: Piece, steps: Iterator[Piece | Obstacle]
) -> Outcome:
    """Reading ahead, 15 and later may fetch, and die or end of, a file that the target needs not.

    The buffer holds records, so that segments which a switch left almost empty are no distance.
    """
    stop = outcome.stop
    if outcome.outcome != "opens" or stop is None or restore.server.major < 15:
        return outcome
    passed_bytes = piece.bytes_after(stop.end_lsn or stop.lsn or 0)
    for step in steps:
        if passed_bytes > _READ_AHEAD_BYTES:
            break
        if isinstance(step, Obstacle):
            is_met = _is_met_early(step) or step.kind == UNREAD  # it may be of the wrong size
            return replace(outcome, needs=_NO_PREFETCH) if is_met else outcome
        passed_bytes += sum(map(size_of_records, step.stretches()))
    return outcome


def _is_met_early(obstacle: Obstacle) -> bool:
    """Whether a server that reads ahead may stop before the records that precede it are replayed.

    It dies of a file of the wrong size. And before each record ReadRecord holds the timeline of the
    page read last, however far ahead, against the history: what was not replayed yet is lost then.
    """
    return obstacle.kills or obstacle.kind == DamageKind.WRONG_TIMELINE


def _has_newer(restore: RestoreInputs, start: Start, obstacle: Obstacle) -> bool | None:
    """Tell whether segments of the path lie after the one that ends the WAL.

    Names alone do not say it: recycled files wait in a pg_wal under future names, and what cannot
    be read may be anything.
    """
    wal = restore.wal
    newest = wal.newest_names()
    _, stopped = parse_segment_name(obstacle.segment, wal.segment_size)
    newer: bool | None = False
    for stretch in in_order(start.path):
        if stretch.timeline not in newest:
            continue
        _, last = parse_segment_name(newest[stretch.timeline], wal.segment_size)
        if stretch.end_lsn is not None:
            last = min(last, segment_of(stretch.end_lsn, wal.segment_size))
        first = max(stopped, segment_of(stretch.begin_lsn, wal.segment_size) - 1) + 1
        for name in islice(_names_of(wal, stretch.timeline, range(first, last + 1)), _PROBES):
            scan = wal.archived(name) or wal.carried(name)
            kind = scan.damage.kind if scan and scan.damage else None
            if kind is not DamageKind.UNREADABLE:
                return kind is not DamageKind.WRONG_ADDRESS
            newer = None
    return newer


def _names_of(wal: Wal, timeline: int, numbers: range) -> Iterator[str]:
    """The segments there are of a timeline's numbers, of which there may be 2^44; lowest first."""
    if len(numbers) <= len(wal.names):
        names = (wal.name(timeline, number) for number in numbers)
        return (name for name in names if name in wal.names)
    held = number_segments(wal.names, wal.segment_size).get(timeline, frozenset())
    there = sorted(number for number in held if number in numbers)
    return (wal.name(timeline, number) for number in there)
