"""One start of a server, and what its log tells of it.

`Attempt.note` keeps what an event says; what it means for the phase is in `state_machine`.
"""

from __future__ import annotations

import re
from dataclasses import field, replace
from datetime import datetime
from typing import Final

from parsers.log.messages.event import Event
from parsers.log.messages.message import ANYONE, ARCHIVER, WALRECEIVER
from parsers.log.recovery_events import FIRST_WORDS, RecoveryEvent
from parsers.log.tool_lines import STARTERS
from parsers.lsn import format_lsn
from parsers.sentences import tr
from parsers.values import dataclass
from parsers.wal.page import NEWEST_MAJOR
from rules.live.phase import OVER, RUNNING, STANDS_STILL, Phase

# Said by a postmaster before its first line: a start that does not get that far.
BEFORE_START: Final = frozenset({
    Event.BAD_GUC_VALUE, Event.BAD_CONFIG, Event.MULTIPLE_TARGETS, Event.NOT_DATA_DIRECTORY,
    Event.DATADIR_PERMS, Event.DATADIR_OWNER, Event.FILES_INCOMPATIBLE, Event.CONTROL_BAD_CRC,
    Event.LOCK_FILE_EXISTS, Event.PRELOAD_LIB_MISSING, Event.PRELOAD_LIB_BROKEN,
})  # fmt: skip
# What only an archive recovery does.
_ARCHIVE_SIGNS: Final = frozenset({
    Event.RECOVERY_TARGET_SET, Event.ARCHIVE_RECOVERY_STARTED, Event.STANDBY_MODE_ENTERED,
    Event.FILE_RESTORED, Event.ARCHIVE_RECOVERY_COMPLETE, Event.READY_READ_ONLY, Event.WAL_WAIT,
    Event.RECOVERY_PAUSED, Event.PARAMS_SHORT, Event.PARAMS_ABORT, Event.PARAMS_PROMOTE,
    Event.RECOVERY_STOPPING, Event.PAUSED_AT_TARGET, Event.TARGET_NOT_REACHED,
    Event.NO_RESTORE_COMMAND, Event.TIMELINE_MISSING, Event.RESTORE_SIGNAL,
    Event.RESTORE_WRONG_SIZE, Event.STOP_BEFORE_CONSISTENCY, Event.MULTIPLE_TARGETS,
})  # fmt: skip
# A server stops so, refuses a client or a setting, whether or not it restores.
_OF_ANY_SERVER: Final = frozenset({
    Event.SHUTDOWN_REQUESTED, Event.SHUTTING_DOWN, Event.SERVER_SHUT_DOWN, Event.BAD_GUC_VALUE,
    Event.CONN_STARTING, Event.CONN_NOT_YET, Event.CONN_NOT_ACCEPTING, Event.CONN_IN_RECOVERY,
    Event.CONN_SHUTDOWN, Event.COMMAND_OUTPUT, Event.LANGUAGE_UNREADABLE,
    Event.TIME_ZONE_AMBIGUOUS,
})  # fmt: skip
_OF_NO_RESTORE: Final = frozenset({
    Event.READY_READ_WRITE, Event.CRASH_RECOVERY_STARTED, Event.WAS_SHUT_DOWN,
})  # fmt: skip
_WAL_ENDS: Final = frozenset({  # a record or page that does not read
    Event.REC_LEN_SHORT, Event.REC_OFFSET, Event.REC_RMID, Event.REC_PREV_LINK, Event.REC_CRC,
    Event.REC_NO_CONTRECORD_FLAG, Event.REC_CONTRECORD_LEN, Event.REC_CONTRECORD_REQUESTED,
    Event.REC_BAD_LENGTH, Event.REC_BLOCK_ID_ORDER, Event.REC_BLOCK_ID, Event.REC_BKP_FLAGS,
    Event.PAGE_MAGIC, Event.PAGE_INFO, Event.PAGE_ADDR, Event.PAGE_TLI_BACK,
    Event.PAGE_TLI_UNEXPECTED, Event.WAL_OTHER_SYSTEM, Event.WAL_OTHER_SEGSIZE,
    Event.WAL_OTHER_BLCKSZ, Event.WAL_READ_FAILED,
})  # fmt: skip
# FATAL to whoever connects, streams or archives, not to the recovery.
_NOT_OURS: Final = frozenset({WALRECEIVER, ARCHIVER})
_SHUTDOWN_AT_TARGET_STATUS: Final = 3  # proc_exit(3) of the startup process
OLDEST_MAJOR: Final = 13
_VERSION: Final = re.compile(r"PostgreSQL (\d{1,4})\b")
_SEGMENT: Final = re.compile(r"[0-9A-F]{24}\Z")
_PLACE: Final = re.compile(r"(?P<place>/[^'\"`‘“]*)/\S*(?:[0-9A-F]{24}|[0-9A-F]{8}\.history)")
_DATABASE: Final = re.compile(r"(?:base|pg_tblspc/\d+/[^/]+)/(?P<oid>\d+)/")
_BROUGHT_NOTHING: Final = "pg_wal/RECOVERYXLOG"  # where restore_command was to put a segment


@dataclass(slots=True)
class Attempt:
    """What is known of one start of the server. LSNs are ints, instants aware UTC."""

    phase: Phase = Phase.NONE
    started_at: datetime | None = None
    major: int | None = None  # as the server's first line says
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
    doubted: RecoveryEvent | None = None  # an end that anybody may have written, and no more since
    wal_end: RecoveryEvent | None = None  # the last record or page that did not read
    unfetched: RecoveryEvent | None = None  # how the last segment asked for did not come
    archive_place: str | None = None  # where restore_command looks for files, as its messages say
    torn_databases: set[str] = field(default_factory=set)  # OIDs: pages that WAL needs are absent
    low_setting: RecoveryEvent | None = None  # one that is lower than on the primary
    passed_fork: RecoveryEvent | None = None  # of a timeline to follow; no WAL came since
    shutdown_mode: str | None = None  # smart, fast, immediate: what somebody asked for
    opened: bool = False  # accepts connections, read-write
    stopped_by_request: bool = False
    startup_pid: int | None = None
    seen: set[str] = field(default_factory=set)
    _told: bool = False  # restore_command has just said that the file is not there
    last_at: datetime | None = None

    @property
    def refused(self) -> bool:
        """The server gave up before its first line."""
        return self.fatal is not None and self.seen <= BEFORE_START | {Event.SERVER_SHUT_DOWN}

    @property
    def goes_on(self) -> bool | None:
        """None: neither the start nor the end of a recovery was seen."""
        if self.phase in OVER or self.is_down:
            return False
        return True if self.phase in RUNNING else None

    @property
    def stands_still(self) -> bool:
        return self.phase in STANDS_STILL and not self.is_down

    @property
    def is_down(self) -> bool:
        """The log says that this server ended."""
        return Event.SERVER_SHUT_DOWN in self.seen

    @property
    def may_restore(self) -> bool:
        """A start that is not over, and does not say yet what it recovers."""
        begun = self.phase is not Phase.NONE or bool(self.missing_files)
        return begun and not (self.opened or self.is_down or self.crash_recovery)

    @property
    def command_failed(self) -> bool:
        """The last segment did not come, and not because the archive has none."""
        return self.unfetched is not None and self.unfetched.name != Event.FILE_MISSING

    @property
    def asks_archive(self) -> bool:
        """restore_command was run: from 17 on that may be all that tells of an archive recovery."""
        asked = self.missing_files or self.restored_segments or self.unfetched is not None
        return self.archive_recovery or bool(asked)

    @property
    def may_accept(self) -> bool:
        """Connections: to ask a server that does not is a FATAL line in its log."""
        starts = bool(self.seen & ({Event.SERVER_STARTING} | FIRST_WORDS))
        return not self.is_down and (
            self.opened or Event.READY_READ_ONLY in self.seen or not starts
        )

    @property
    def tells_nothing(self) -> bool:
        """Nothing was said that a server which restores would not say as well."""
        return self.seen <= _OF_ANY_SERVER

    @property
    def opened_at_once(self) -> bool:
        """A start without archive recovery was seen, or its end."""
        return bool(self.seen & _OF_NO_RESTORE)

    @property
    def is_older(self) -> bool:
        """Of a release that is not covered any more."""
        return self.major is not None and self.major < OLDEST_MAJOR

    @property
    def is_newer(self) -> bool:
        """Of a release to come: what it does not say in words known here, it may say in others."""
        return self.major is not None and self.major > NEWEST_MAJOR

    @property
    def is_up(self) -> bool:
        """A server began to start, and no line says that it ended."""
        ended = self.phase is Phase.FAILED or self.is_down
        return not ended and not self.seen <= BEFORE_START

    def note(self, event: RecoveryEvent) -> None:
        """Keep what the event says."""
        self.seen.add(event.name)
        self.last_at = event.at or self.last_at
        self.archive_recovery |= event.name in _ARCHIVE_SIGNS
        self._note_fetching(event)
        match event.name:
            case Event.ARCHIVE_FAILED if not self.archive_recovery:
                self.missing_files.clear()  # archive_command said so
                self.unfetched = self.archive_place = None
            case Event.INVALID_PAGE_WARN:
                found = _DATABASE.match(event.text("relation") or "")
                self.torn_databases |= {found["oid"]} if found else set()
            case Event.SERVER_STARTING:
                found = _VERSION.match(event.text("version") or "")
                self.major = int(found[1]) if found else None
            case Event.RECOVERY_TARGET_SET:
                self.target_type = event.text("target_type")
                self.target_value = event.fields.get(self.target_type or "")
            case Event.ARCHIVE_RECOVERY_STARTED:
                self.target_type = "none"
            case Event.STANDBY_MODE_ENTERED:
                self.standby = True
            case Event.TIMELINE_NEW_FORKED_BEFORE:
                self.passed_fork = event
            case Event.STREAM_STARTED:
                self.passed_fork = None
            case Event.CRASH_RECOVERY_STARTED:
                self.crash_recovery = True
            case Event.REDO_STARTED:
                self.redo_start_lsn = event.lsn()
            case Event.CONSISTENCY_REACHED:
                self.consistent_lsn = event.lsn()
            case Event.RECOVERY_STOPPING:
                self.stop = event
            case Event.REDO_DONE:
                self.redo_done_lsn = event.lsn()
            case Event.LAST_TRANSACTION:
                self.last_transaction_at = event.instant()
            case Event.TIMELINE_SELECTED:
                self.new_timeline = event.number("timeline")
            case Event.READY_READ_WRITE:
                self.opened = True
            case Event.SHUTDOWN_REQUESTED:
                self.stopped_by_request, self.shutdown_mode = True, event.text("mode")
            case Event.PARAMS_SHORT if event.text("setting") is not None:
                self.low_setting = event
            case Event.BAD_GUC_VALUE:
                self.complaint = event
            case Event.PROCESS_EXITED | Event.PROCESS_KILLED if self.is_death(event):
                self.killed = event
            case name if name in FIRST_WORDS:
                self.startup_pid, self.data_as_of = event.pid, event.instant("log_time")
            case name if name in _WAL_ENDS:
                self.wal_end = event
        if event.severity in ("FATAL", "PANIC") and self._is_of_startup(event):
            self.fatal = event

    def _note_fetching(self, event: RecoveryEvent) -> None:
        """Keep what restore_command brought, and how it failed to."""
        file = event.text("file")
        is_segment = file is not None and _SEGMENT.match(file) is not None
        counts = self._is_of_the_replay(event, file or "")
        match event.name:
            case Event.FILE_RESTORED if file is not None and is_segment:
                self.restored_segments.append(file)
                self.passed_fork = None
                self.unfetched = self.unfetched if self.redo_done_lsn is not None else None
            case Event.FILE_MISSING if file is not None and not (self.opened and event.placed):
                self.missing_files.append(file)
                place = _PLACE.search(event.message)
                self.archive_place = place["place"] if place else self.archive_place
                self._told = True
                if is_segment and counts:
                    self.unfetched = event
            case Event.COMMAND_OUTPUT if counts and self._is_trouble(event):
                if event.fields.get("harmless") is False or self.unfetched is None:
                    self.unfetched = event
            case Event.RESTORE_LIED if counts and event.text("restored_path") == _BROUGHT_NOTHING:
                self.unfetched = event
        self._told &= not event.process

    def _is_of_the_replay(self, event: RecoveryEvent, file: str) -> bool:
        """It came before the end of the WAL, as far as that can be told of a file beside the log.

        Afterwards the last segment is fetched again, and the archiver speaks of its own timeline.
        """
        if event.placed:
            return self.redo_done_lsn is None and not self.opened
        of_this_timeline = any(each[:8] == file[:8] for each in self.restored_segments[-1:])
        if file in self.restored_segments or (self.opened and not of_this_timeline):
            return False
        return bool(file) or not self.restored_segments

    def _is_trouble(self, event: RecoveryEvent) -> bool:
        """What the command said, if that may be why it brought no segment.

        Not when it has just said that there is none.
        """
        of_history = (event.text("file") or "").endswith(".history")
        of_others = event.fields.get("program") in STARTERS
        if of_history or of_others or (self._told and event.placed):
            return False
        harmless = event.fields.get("harmless")
        return harmless is False or (harmless is None and event.placed)

    def is_death(self, event: RecoveryEvent) -> bool:
        """The startup process ended otherwise than it should, and said nothing about it."""
        is_startup = event.text("process") == "startup process" or (
            self.startup_pid is not None and event.number("pid") == self.startup_pid
        )
        good = event.number("exit_code") in (0, _SHUTDOWN_AT_TARGET_STATUS)
        return is_startup and not self.stopped_by_request and not good

    def _is_of_startup(self, event: RecoveryEvent) -> bool:
        """What a client's session could say as well is the startup process's by its process id."""
        if event.process == ANYONE:
            return event.pid is not None and event.pid == self.startup_pid
        return event.process not in _NOT_OURS

    def copy(self) -> Attempt:
        """What is known now; this one goes on."""
        return replace(
            self,
            restored_segments=list(self.restored_segments),
            missing_files=list(self.missing_files),
            torn_databases=set(self.torn_databases),
            seen=set(self.seen),
        )


def describe_release(attempt: Attempt) -> str | None:
    """Of a release that is not covered: what holds of all that is said."""
    if attempt.is_older:
        told = tr(
            "the log is of PostgreSQL {major}, which this program does not cover: what it says is "
            "not proven"
        )
    elif attempt.is_newer:
        told = tr(
            "the log is of PostgreSQL {major}, newer than {newest}, the newest that this program "
            "knows: what it says is not proven"
        )
    else:
        return None
    return tr(told, major=attempt.major, newest=NEWEST_MAJOR)


def describe_low_setting(event: RecoveryEvent) -> str:
    """A setting that is too low, with both values: max_connections = 100 < 200."""
    value, needed = event.fields.get("value"), event.fields.get("primary_value")
    return tr(
        "{setting} = {value} is lower than the primary's ({value} < {needed})",
        setting=event.text("setting"),
        value=value,
        needed=needed,
    )


def raise_setting(event: RecoveryEvent, file: str) -> str:
    """What to type for it; `file` is the one for settings."""
    line = f"{event.text('setting')} = {event.fields.get('primary_value')}"
    return tr('echo "{line}" >> {file}, then start the server', line=line, file=file)


def describe_target(attempt: Attempt) -> str:
    """The target as a person would say it."""
    value = attempt.target_value
    if isinstance(value, datetime):
        return tr("time {time}", time=value.isoformat(sep=" "))
    if attempt.target_type == "lsn" and isinstance(value, int):
        return f"LSN {format_lsn(value)}"
    if attempt.target_type in (None, "none"):
        return tr("none: the end of WAL")
    if attempt.target_type == "immediate":
        return tr("the end of the backup")
    if attempt.target_type == "name":
        return tr('restore point "{name}"', name=value)
    return tr("transaction {xid}", xid=value)
