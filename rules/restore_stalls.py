"""Why replay does not move, and what to type: from the processes, SQL and the archive's names.

Wait events are those of the startup process in src/backend/utils/activity/wait_event_names.txt
(wait_event.c to 16).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from rules.restore_causes import RESUME
from rules.restore_reading import Reading
from rules.restore_state import Attempt, Phase

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    """What does not move, and for how long."""

    reading: Reading
    attempt: Attempt
    seconds: float  # since the position, or the segment, last changed
    archived: Collection[str] | None  # segments in the archive; None: not listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """Why, and what to type."""

    kind: str  # paused, restore_command, conflict, apply_delay, gap, no_wal, disk, slow
    cause: str
    next_command: str | None = None


def explain_stall(still: Still) -> Stall | None:
    """The first reason that holds; None while replay moves, or has ended."""
    attempt, reading = still.attempt, still.reading
    if attempt.stop is not None or attempt.redo_done_lsn is not None or not reading.running:
        return None
    if attempt.phase in (Phase.ENDED, Phase.FAILED, Phase.SHUT_DOWN):
        return None
    for reason in _REASONS:
        stall = reason(still)
        if stall is not None:
            return stall
    return None


def _paused(still: Still) -> Stall | None:
    if still.reading.pause_state != "paused" or "params_short" in still.attempt.seen:
        return None
    return Stall(
        kind="paused",
        cause="replay is paused, and not at its target: somebody called pg_wal_replay_pause()",
        next_command=RESUME,
    )


def _restore_command(still: Still) -> Stall | None:
    command = still.reading.command
    if command is None or command.seconds < _SLOW_COMMAND_SECONDS:
        return None
    segment = f" {still.reading.segment}" if still.reading.segment else ""
    return Stall(
        kind="restore_command",
        cause=f"restore_command has been fetching{segment} since {command.seconds:.0f} s and has"
        f" not ended (process {command.pid}: {command.words[:_SHOWN]}); replay waits for it."
        " Killing it with SIGTERM would stop the server",
        next_command=f"ps -o pid,etime,stat,args -p {command.pid}  (then look at what it waits"
        " for: the network, the disk, the archive's host)",
    )


def _conflict(still: Still) -> Stall | None:
    reading = still.reading
    event = reading.wait_event or ""
    waits = event.startswith("RecoveryConflict") or event == "BufferPin"
    if not (reading.blocked or waits) or still.seconds < _BLOCKED_SECONDS:
        return None
    named = f" ({event})" if event else ""
    return Stall(
        kind="conflict",
        cause=f"a query on this server holds up replay{named}: it is waited for as long as"
        " max_standby_archive_delay and max_standby_streaming_delay allow",
        next_command=_CONFLICTS,
    )


def _apply_delay(still: Still) -> Stall | None:
    if still.reading.wait_event != "RecoveryApplyDelay" or still.seconds < _BLOCKED_SECONDS:
        return None
    return Stall(
        kind="apply_delay",
        cause="recovery_min_apply_delay holds the next commit back on purpose",
        next_command="ALTER SYSTEM SET recovery_min_apply_delay = 0; SELECT pg_reload_conf();",
    )


def _no_wal(still: Still) -> Stall | None:
    """Waiting for WAL that is not there: only a standby waits, others take it for the end."""
    reading = still.reading
    waits = reading.wait_event in _WAITS_FOR_WAL or (
        reading.doing == "waiting for" and reading.command is None and still.attempt.standby
    )
    if not waits or still.seconds < _STILL_SECONDS:
        return None
    if reading.receiver is not None and reading.receiver.status == "streaming":
        return None  # it has all that the sender has
    return _gap(still) or Stall(
        kind="no_wal",
        cause=f"all WAL that can be had is replayed; {_wanted(still) or 'the next segment'} is"
        " not there (yet)",
        next_command="SELECT pg_promote();  (to open with what there is)",
    )


def _wanted(still: Still) -> str | None:
    wanted = [name for name in still.attempt.missing_files[-2:] if not name.endswith(".history")]
    return wanted[-1] if wanted else still.reading.segment


def _gap(still: Still) -> Stall | None:
    wanted = _wanted(still)
    if wanted is None or still.archived is None:
        return None
    if wanted in still.archived:
        return Stall(
            kind="gap",
            cause=f"{wanted} is in the archive, and restore_command does not bring it",
            next_command=f"run restore_command by hand for {wanted}, as the server's account",
        )
    later = [n for n in still.archived if n.startswith(wanted[:8]) and n > wanted]
    if not later:
        return None
    return Stall(
        kind="gap",
        cause=f"{wanted} is not in the archive, and {len(later)} later segment(s) are, up to"
        f" {max(later)}: a gap; replay will wait for ever",
        next_command=f"bring {wanted} from the primary's pg_wal or another copy of the archive",
    )


def _slow(still: Still) -> Stall | None:
    reading = still.reading
    limit = _STILL_SECONDS if reading.replay_lsn is not None else _STILL_SEGMENT_SECONDS
    if still.seconds < limit or reading.doing != "recovering" or _has_all(reading):
        return None
    if reading.resting == "disk-sleep":
        return Stall(
            kind="disk",
            cause=f"the startup process waits for the disk, in {reading.segment}",
            next_command="iostat -x 1",
        )
    waits = f" (wait event {reading.wait_event})" if reading.wait_event else ""
    return Stall(
        kind="slow",
        cause=f"replay is in {reading.segment} since {still.seconds:.0f} s{waits}: one record can"
        " take long, as one that drops or truncates many relations",
    )


def _has_all(reading: Reading) -> bool:
    """A standby that streams and has replayed all that it received."""
    receiver = reading.receiver
    if receiver is None or receiver.received_lsn is None or reading.replay_lsn is None:
        return False
    return reading.replay_lsn >= receiver.received_lsn


_REASONS: Final[tuple[Callable[[Still], Stall | None], ...]] = (
    _paused, _restore_command, _conflict, _apply_delay, _no_wal, _slow,
)  # fmt: skip
