"""A restore as a state machine: recovery events in, its phase and its summary out.

`TRANSITIONS` is the machine, one row an event. `Restore` follows one server through restarts and
repeated attempts; its summary is that of the last archive recovery seen. Crash recovery, a clean
start and a primary's traffic are no restore: the outcome is then `none`.

Follows StartupXLOG and PerformWalRecovery in src/backend/access/transam/{xlog,xlogrecovery}.c.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from parsers.log_origin import FIRST_WORDS
from parsers.messages.message import ANYONE, ARCHIVER, WALRECEIVER
from parsers.recovery_events import FILE_MISSING, RecoveryEvent


class Phase(enum.Enum):
    """Where a server's recovery stands."""

    NONE = "no recovery"
    STARTING = "starting"
    FETCHING = "fetching"
    REPLAYING = "replaying"
    CONSISTENT = "consistent"
    READ_ONLY = "open read-only"
    WAITING = "waiting for WAL"
    STOPPING = "stopping at the target"
    PAUSED_AT_TARGET = "paused at the target"
    PAUSED = "paused"
    PROMOTING = "promoting"
    ENDED = "ended"
    SHUT_DOWN = "shut down"
    FAILED = "failed"


_P: Final = Phase
_BEFORE_REDO: Final = frozenset({_P.NONE, _P.STARTING, _P.FETCHING})
_REDO: Final = frozenset({_P.REPLAYING, _P.CONSISTENT, _P.READ_ONLY, _P.WAITING})
_STOPPED: Final = frozenset({_P.STOPPING, _P.PAUSED_AT_TARGET, _P.PAUSED})
_ALIVE: Final = _BEFORE_REDO | _REDO | _STOPPED | {_P.PROMOTING}
# A server stopped while it waits at its target has still reached it.
_UNFINISHED: Final = _ALIVE - {_P.PAUSED_AT_TARGET}

# event, from these phases, to this one. An event that is not here, or comes in another phase,
# changes no phase.
TRANSITIONS: Final[tuple[tuple[str, frozenset[Phase], Phase], ...]] = (
    ("server_starting", frozenset(Phase), _P.STARTING),
    ("file_restored", frozenset({_P.NONE, _P.STARTING}), _P.FETCHING),
    ("file_restored", frozenset({_P.WAITING, _P.PAUSED}), _P.READ_ONLY),
    (FILE_MISSING, frozenset({_P.STARTING}), _P.FETCHING),
    ("redo_started", _BEFORE_REDO, _P.REPLAYING),
    ("redo_progress", _BEFORE_REDO, _P.REPLAYING),
    ("consistency_reached", _BEFORE_REDO | {_P.REPLAYING}, _P.CONSISTENT),
    ("ready_read_only", _BEFORE_REDO | {_P.REPLAYING, _P.CONSISTENT}, _P.READ_ONLY),
    ("wal_wait", _REDO, _P.WAITING),
    ("stream_started", frozenset({_P.WAITING}), _P.READ_ONLY),
    ("recovery_stopping", _BEFORE_REDO | _REDO | {_P.PAUSED}, _P.STOPPING),
    ("paused_at_target", _ALIVE, _P.PAUSED_AT_TARGET),
    ("recovery_paused", _REDO, _P.PAUSED),
    ("shutdown_at_target", _ALIVE, _P.SHUT_DOWN),
    ("promote_requested", _REDO | _STOPPED, _P.PROMOTING),
    ("redo_done", _ALIVE, _P.PROMOTING),
    ("timeline_selected", _ALIVE, _P.PROMOTING),
    ("archive_recovery_complete", _ALIVE, _P.ENDED),
    ("ready_read_write", _ALIVE, _P.ENDED),
    ("startup_failed", _ALIVE, _P.FAILED),
    ("startup_failed_early", _ALIVE, _P.FAILED),
)
_NEXT: Final = {
    (phase, event): target for event, sources, target in TRANSITIONS for phase in sources
}

# Said by a postmaster before its first line: a start that does not get that far.
_BEFORE_START: Final = frozenset({
    "bad_guc_value", "bad_config", "multiple_targets", "not_data_directory", "datadir_perms",
    "datadir_owner", "recovery_conf_present", "files_incompatible", "control_bad_crc",
    "preload_lib_missing", "preload_lib_broken",
})  # fmt: skip
_OVER: Final = frozenset({_P.ENDED, _P.FAILED, _P.SHUT_DOWN})
# What only an archive recovery does.
_ARCHIVE_SIGNS: Final = frozenset({
    "recovery_target_set", "archive_recovery_started", "standby_mode_entered", "file_restored",
    FILE_MISSING, "archive_recovery_complete", "recovery_stopping", "paused_at_target",
    "target_not_reached", "no_restore_command", "timeline_missing", "restore_signal",
    "restore_wrong_size", "stop_before_consistency", "multiple_targets",
})  # fmt: skip
# An unproven event decides only after one of these came in the same attempt.
_COMPANIONS: Final = {
    "archive_recovery_complete": frozenset({"redo_done", "timeline_selected"}),
    "paused_at_target": frozenset({"recovery_stopping"}),
    "shutdown_at_target": frozenset({"recovery_stopping"}),
    "recovery_stopping": frozenset({"redo_started", "recovery_target_set"}),
    "redo_done": frozenset({"redo_started"}),
    "timeline_selected": frozenset({"redo_done"}),
}
# FATAL to whoever connects, streams or archives, not to the recovery.
_NOT_OURS: Final = frozenset({WALRECEIVER, ARCHIVER})
# Said by a postmaster that starts, and by an archiver whose archive_library is not there.
_OF_CHILDREN_TOO: Final = frozenset({"preload_lib_missing", "preload_lib_broken"})
# A second server on the same directory gives up; the first goes on.
_OTHER_SERVER: Final = frozenset({"lock_file_exists"})
_SEGMENT: Final = re.compile(r"[0-9A-F]{24}\Z")


@dataclass(slots=True)
class Attempt:
    """What is known of one start of the server. LSNs are ints, instants aware UTC."""

    phase: Phase = Phase.NONE
    started_at: datetime | None = None
    archive_recovery: bool = False
    standby: bool = False
    crash_recovery: bool = False
    target_type: str | None = None  # None: no line about it; "none": recovery to the end of WAL
    target_value: str | int | datetime | None = None
    data_as_of: datetime | None = None  # pg_control's time in the restored files
    redo_start_lsn: int | None = None
    consistent_lsn: int | None = None
    stop: RecoveryEvent | None = None
    redo_done_lsn: int | None = None
    last_transaction_at: datetime | None = None
    new_timeline: int | None = None
    restored_segments: list[str] = field(default_factory=list)
    missing_files: list[str] = field(default_factory=list)
    fatal: RecoveryEvent | None = None
    complaint: RecoveryEvent | None = None  # a setting that does not parse
    killed: RecoveryEvent | None = None  # the startup process died by a signal
    wal_end: RecoveryEvent | None = None  # the last record or page that did not read
    opened: bool = False  # accepts connections, read-write
    stopped_by_request: bool = False
    startup_pid: int | None = None
    seen: set[str] = field(default_factory=set)
    last_at: datetime | None = None


class Restore:
    """One server's log, followed from wherever it is first read."""

    def __init__(self) -> None:
        self.current = Attempt()
        self._last_archive: Attempt | None = None
        self.unreadable: RecoveryEvent | None = None  # the log's language

    @property
    def attempt(self) -> Attempt:
        """The attempt to judge: the last archive recovery, else what there is."""
        if self.current.archive_recovery or self._last_archive is None:
            return self.current
        return self.current if self._is_failed_start() else self._last_archive

    def apply_all(self, events: Iterable[object]) -> None:
        """Take the recovery events among what a log stream yields."""
        for event in events:
            if isinstance(event, RecoveryEvent):
                self.apply(event)

    def apply(self, event: RecoveryEvent) -> None:
        """Take one event."""
        if event.name == "language_unreadable":
            self.unreadable = event
        if self._is_of_no_account(event):
            return
        if self._begins_attempt(event):
            complaint = self.current.complaint if event.name in _BEFORE_START else None
            self.current = Attempt(started_at=event.at, complaint=complaint)
        attempt = self.current
        if not event.proven and not _corroborated(event, attempt):
            return
        _note(attempt, event)
        _move(attempt, event)
        if attempt.archive_recovery:
            self._last_archive = attempt

    def _is_of_no_account(self, event: RecoveryEvent) -> bool:
        """A second server that gives up; a start that nobody can vouch for, with one under way."""
        seen = self.current.seen
        if event.name in _OF_CHILDREN_TOO:
            return bool(seen - _BEFORE_START) and "server_shut_down" not in seen
        if event.name == "server_starting" and not event.proven:
            return bool(self.current.seen)
        return event.name in _OTHER_SERVER and bool(self.current.seen)

    def _begins_attempt(self, event: RecoveryEvent) -> bool:
        if event.name == "server_starting":
            return not self.current.seen <= _BEFORE_START
        if event.name in FIRST_WORDS:
            return bool(self.current.seen & FIRST_WORDS)
        if event.name in _BEFORE_START and event.severity == "FATAL":
            return "server_shut_down" in self.current.seen or self.current.phase in _OVER
        return False

    def _is_failed_start(self) -> bool:
        """A start that failed after a restore: the restore it was of is not open any more."""
        return self.current.phase is Phase.FAILED and not self.current.crash_recovery


def _corroborated(event: RecoveryEvent, attempt: Attempt) -> bool:
    companions = _COMPANIONS.get(event.name)
    return companions is None or bool(companions & attempt.seen)


def _move(attempt: Attempt, event: RecoveryEvent) -> None:
    attempt.phase = _NEXT.get((attempt.phase, event.name), attempt.phase)
    if attempt.fatal is not None or attempt.killed is not None:
        attempt.phase = Phase.FAILED
    elif event.name == "server_shut_down" and attempt.phase in _UNFINISHED:
        attempt.phase = Phase.SHUT_DOWN


def _note(attempt: Attempt, event: RecoveryEvent) -> None:
    """Keep what the event says."""
    attempt.seen.add(event.name)
    attempt.last_at = event.at or attempt.last_at
    attempt.archive_recovery |= event.name in _ARCHIVE_SIGNS
    take = _NOTES.get(event.name)
    if take is not None:
        take(attempt, event)
    if event.severity in ("FATAL", "PANIC") and _is_of_startup(attempt, event):
        attempt.fatal = event


def _is_of_startup(attempt: Attempt, event: RecoveryEvent) -> bool:
    """What a client's session could say as well is the startup process's by its process id."""
    if event.process == ANYONE:
        return event.pid is not None and event.pid == attempt.startup_pid
    return event.process not in _NOT_OURS


def _note_target(attempt: Attempt, event: RecoveryEvent) -> None:
    kind = event.text("target_type")
    attempt.target_type = kind
    attempt.target_value = event.fields.get(kind or "")


def _note_no_target(attempt: Attempt, event: RecoveryEvent) -> None:
    attempt.target_type = "none"


def _note_standby(attempt: Attempt, event: RecoveryEvent) -> None:
    attempt.standby = True


def _note_crash(attempt: Attempt, event: RecoveryEvent) -> None:
    attempt.crash_recovery = True


def _note_first_words(attempt: Attempt, event: RecoveryEvent) -> None:
    attempt.startup_pid = event.pid
    attempt.data_as_of = event.instant("log_time")


def _note_redo_started(attempt: Attempt, event: RecoveryEvent) -> None:
    attempt.redo_start_lsn = event.lsn()


def _note_consistency(attempt: Attempt, event: RecoveryEvent) -> None:
    attempt.consistent_lsn = event.lsn()


def _note_stop(attempt: Attempt, event: RecoveryEvent) -> None:
    attempt.stop = event


def _note_redo_done(attempt: Attempt, event: RecoveryEvent) -> None:
    attempt.redo_done_lsn = event.lsn()


def _note_last_transaction(attempt: Attempt, event: RecoveryEvent) -> None:
    attempt.last_transaction_at = event.instant()


def _note_timeline(attempt: Attempt, event: RecoveryEvent) -> None:
    attempt.new_timeline = event.number("timeline")


def _note_restored(attempt: Attempt, event: RecoveryEvent) -> None:
    file = event.text("file")
    if file is not None and _SEGMENT.match(file):
        attempt.restored_segments.append(file)


def _note_missing(attempt: Attempt, event: RecoveryEvent) -> None:
    file = event.text("file")
    if file is not None:
        attempt.missing_files.append(file)


def _note_open(attempt: Attempt, event: RecoveryEvent) -> None:
    attempt.opened = True


def _note_request(attempt: Attempt, event: RecoveryEvent) -> None:
    attempt.stopped_by_request = True


def _note_complaint(attempt: Attempt, event: RecoveryEvent) -> None:
    attempt.complaint = event


def _note_wal_end(attempt: Attempt, event: RecoveryEvent) -> None:
    attempt.wal_end = event


_SHUTDOWN_AT_TARGET_STATUS: Final = 3  # proc_exit(3) of the startup process


def _note_exit(attempt: Attempt, event: RecoveryEvent) -> None:
    """The startup process ended otherwise than it should, and said nothing about it."""
    is_startup = event.text("process") == "startup process" or (
        attempt.startup_pid is not None and event.number("pid") == attempt.startup_pid
    )
    status = event.number("exit_code")
    if (
        is_startup
        and not attempt.stopped_by_request
        and status
        not in (
            0,
            _SHUTDOWN_AT_TARGET_STATUS,
        )
    ):
        attempt.killed = event


_NOTES: Final = {
    "recovery_target_set": _note_target,
    "archive_recovery_started": _note_no_target,
    "standby_mode_entered": _note_standby,
    "crash_recovery_started": _note_crash,
    "redo_started": _note_redo_started,
    "consistency_reached": _note_consistency,
    "recovery_stopping": _note_stop,
    "redo_done": _note_redo_done,
    "last_transaction": _note_last_transaction,
    "timeline_selected": _note_timeline,
    "file_restored": _note_restored,
    FILE_MISSING: _note_missing,
    "ready_read_write": _note_open,
    "shutdown_requested": _note_request,
    "bad_guc_value": _note_complaint,
    "process_exited": _note_exit,
    "process_killed": _note_exit,
    **dict.fromkeys(FIRST_WORDS, _note_first_words),
    **dict.fromkeys(
        (
            "rec_len_short", "rec_offset", "rec_rmid", "rec_prev_link", "rec_crc",
            "rec_no_contrecord_flag", "rec_contrecord_len", "rec_contrecord_requested",
            "rec_bad_length", "rec_block_id_order", "rec_block_id", "rec_bkp_flags", "page_magic",
            "page_info", "page_addr", "page_tli_back", "page_tli_unexpected", "wal_other_system",
            "wal_other_segsize", "wal_other_blcksz", "wal_read_failed",
        ),
        _note_wal_end,
    ),
}  # fmt: skip
