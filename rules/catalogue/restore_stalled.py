"""A running restore has made no progress for longer than the recovery point objective.

Why it matters
    A restore_command that hangs (a mount that is gone, a password prompt, a remote shell without a
    timeout) neither succeeds nor fails: the server waits for it forever and logs nothing.
How to look
    pitr-watch --pgdata DIRECTORY shows the segment and whether it is fetched or applied. ps
    shows the startup process and the restore_command below it.
What to do
    Look at what the startup process does (ps: "startup recovering …" or "waiting for …") and at its
    child, the restore_command. End the child with kill -TERM only if the restore may fail; then
    run the command by hand, %f and %p filled in.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from parsers.log.messages.event import Event
from parsers.log.recovery_events import RecoveryEvent
from parsers.sentences import tr, trn
from rules.live.checks import RESUME
from rules.live.facts import LiveRestore
from rules.live.failures import REWIND
from rules.live.observation import Observation
from rules.live.phase import Phase
from rules.live.places import Places
from rules.model.counted import timed
from rules.model.facts import Objectives
from rules.model.findings import Severity
from rules.verdict.check import Found, check

_SLOW_COMMAND_SECONDS: Final = 10.0
_BLOCKED_SECONDS: Final = 5.0
_STILL_SECONDS: Final = 15.0
_STILL_SEGMENT_SECONDS: Final = 60.0  # where only the segment's name tells the position
_WAITS_FOR_WAL: Final = frozenset({"RecoveryWalStream", "RecoveryRetrieveRetryInterval"})
_SHOWN: Final = 120  # characters of a command line
_CONFLICTS: Final = (
    "SELECT pid, state, left(query, 60) FROM pg_stat_activity WHERE backend_type ="
    " 'client backend' AND (backend_xmin IS NOT NULL OR state <> 'idle');"
)


@check(severity=Severity.WARNING)
def restore_stalled(
    restore: LiveRestore, look: Observation | None, objectives: Objectives, now: datetime
) -> Iterator[Found]:
    """Whoever looks at the processes sees why at once; by log and SQL, only that it lasts."""
    running = restore.running
    if running is not None and running.passed_fork is not None:
        yield _past_the_fork(running.passed_fork, restore.places)
        return
    if look is not None:
        reason = _reason(restore, look)
        if reason is not None:
            yield reason
        return
    if not restore.in_progress or restore.paused or restore.standby or restore.moved_at is None:
        return
    silent_seconds = (now - restore.moved_at).total_seconds()
    if silent_seconds > objectives.rpo_seconds:
        yield Found(
            tr(
                "the restore has made no progress for {time}; the objective is {objective}",
                time=timed(silent_seconds),
                objective=timed(objectives.rpo_seconds),
            ),
            silent_seconds=round(silent_seconds, 1),
            moved_at=restore.moved_at.isoformat(),
        )


def _past_the_fork(event: RecoveryEvent, places: Places) -> Found:
    """The server says so again and again, and waits for WAL of the timeline that was left."""
    timeline = event.number("new_timeline")
    remedy = tr(REWIND, data_directory=places.data_directory)
    cause = tr(
        "the standby ran past the fork of timeline {timeline}, and cannot follow it",
        timeline=timeline,
    )
    return Found(cause, remedy=remedy, cause=cause, kind="fork")


# -- why, by the processes, SQL and the archive's names -------------------------------------------
# Wait events are those of the startup process in src/backend/utils/activity/wait_event_names.txt
# (wait_event.c to 16).


def _reason(restore: LiveRestore, look: Observation) -> Found | None:
    """The first that holds; None while replay moves, or has ended."""
    attempt = restore.attempt
    if attempt.stop is not None or attempt.redo_done_lsn is not None or not look.running:
        return None
    if attempt.phase in (Phase.ENDED, Phase.FAILED, Phase.SHUT_DOWN):
        return None
    return next((found for reason in _REASONS if (found := reason(restore, look))), None)


def _paused(restore: LiveRestore, look: Observation) -> Found | None:
    if look.pause_state != "paused" or Event.PARAMS_SHORT in restore.attempt.seen:
        return None
    return Found(
        tr("replay is paused, and not at its target: somebody called pg_wal_replay_pause()"),
        remedy=RESUME,
        kind="paused",
    )


def _restore_command(restore: LiveRestore, look: Observation) -> Found | None:
    command = look.command
    if command is None or command.seconds < _SLOW_COMMAND_SECONDS:
        return None
    segment = f" {look.segment}" if look.segment else ""
    return Found(
        tr(
            "restore_command has been fetching{segment} for {time} and has "
            "not ended (process {pid}: {words}); replay waits for it. Killing it "
            "with SIGTERM would stop the server",
            segment=segment,
            time=timed(command.seconds),
            pid=command.pid,
            words=command.words[:_SHOWN],
        ),
        remedy=tr(
            "ps -o pid,etime,stat,args -p {pid}  (then look at what it waits "
            "for: the network, the disk, the archive's host)",
            pid=command.pid,
        ),
        kind="restore_command",
    )


def _conflict(restore: LiveRestore, look: Observation) -> Found | None:
    event = look.wait_event or ""
    waits = event.startswith("RecoveryConflict") or event == "BufferPin"
    if not (look.blocked or waits) or look.still_seconds < _BLOCKED_SECONDS:
        return None
    return Found(
        tr(
            "a query on this server holds up replay{event}: it is waited for as "
            "long as max_standby_archive_delay and max_standby_streaming_delay "
            "allow",
            event=f" ({event})" if event else "",
        ),
        remedy=_CONFLICTS,
        kind="conflict",
    )


def _apply_delay(restore: LiveRestore, look: Observation) -> Found | None:
    if look.wait_event != "RecoveryApplyDelay" or look.still_seconds < _BLOCKED_SECONDS:
        return None
    return Found(
        tr("recovery_min_apply_delay holds the next commit back on purpose"),
        remedy="ALTER SYSTEM SET recovery_min_apply_delay = 0; SELECT pg_reload_conf();",
        kind="apply_delay",
    )


def _no_wal(restore: LiveRestore, look: Observation) -> Found | None:
    """Waiting for WAL that is not there: only a standby waits, others take it for the end."""
    waits = look.wait_event in _WAITS_FOR_WAL or (
        look.doing == "waiting for" and look.command is None and restore.attempt.standby
    )
    if not waits or look.still_seconds < _STILL_SECONDS:
        return None
    if look.receiver is not None and look.receiver.status == "streaming":
        return None  # it has all that the sender has
    return _gap(restore, look) or Found(
        tr(
            "all WAL that can be had is replayed; {segment} is not there (yet)",
            segment=_wanted(restore, look) or tr("the next segment"),
        ),
        remedy=tr("SELECT pg_promote();  (to open with what there is)"),
        kind="no_wal",
    )


def _wanted(restore: LiveRestore, look: Observation) -> str | None:
    wanted = [name for name in restore.attempt.missing_files[-2:] if not name.endswith(".history")]
    return wanted[-1] if wanted else look.segment


def _gap(restore: LiveRestore, look: Observation) -> Found | None:
    wanted = _wanted(restore, look)
    if wanted is None or restore.archived is None:
        return None
    if wanted in restore.archived:
        return Found(
            tr("{wanted} is in the archive, and restore_command does not bring it", wanted=wanted),
            remedy=tr(
                "run restore_command by hand for {wanted}, as the server's account", wanted=wanted
            ),
            kind="gap",
        )
    later = [n for n in restore.archived if n.startswith(wanted[:8]) and n > wanted]
    if not later:
        return None
    return Found(
        trn(
            "{wanted} is not in the archive, but {n} later segment up to {last} is: a gap; replay"
            " will wait for ever",
            "{wanted} is not in the archive, but {n} later segments up to {last} are: a gap; replay"
            " will wait for ever",
            len(later),
            wanted=wanted,
            last=max(later),
        ),
        remedy=tr(
            "bring {wanted} from the primary's pg_wal or another copy of the archive", wanted=wanted
        ),
        kind="gap",
    )


def _slow(restore: LiveRestore, look: Observation) -> Found | None:
    limit = _STILL_SECONDS if look.replay_lsn is not None else _STILL_SEGMENT_SECONDS
    if look.still_seconds < limit or look.doing != "recovering" or _has_all(look):
        return None
    if look.resting == "disk-sleep":
        return Found(
            tr("the startup process waits for the disk, in {segment}", segment=look.segment),
            remedy="iostat -x 1",
            kind="disk",
        )
    event = look.wait_event
    waits = tr(" (wait event {event})", event=event) if event else ""
    return Found(
        tr(
            "replay has been in {segment} for {time}{waits}: one record "
            "can take long, as one that drops or truncates many relations",
            segment=look.segment,
            time=timed(look.still_seconds),
            waits=waits,
        ),
        kind="slow",
    )


def _has_all(look: Observation) -> bool:
    """A standby that streams and has replayed all that it received."""
    receiver = look.receiver
    if receiver is None or receiver.received_lsn is None or look.replay_lsn is None:
        return False
    return look.replay_lsn >= receiver.received_lsn


_REASONS: Final[tuple[Callable[[LiveRestore, Observation], Found | None], ...]] = (
    _paused, _restore_command, _conflict, _apply_delay, _no_wal, _slow,
)  # fmt: skip
