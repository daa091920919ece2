"""Who wrote a record: which of the server's processes, or a client that only sounds like one.

A client can put any text into a log (``RAISE LOG 'archive recovery complete'``, an application
name, a statement). What betrays it, from the strongest proof to the weakest:

    the backend type (csvlog, jsonlog, %b) or a session's values in the prefix (%u, %d, after %q)
    a STATEMENT line, or a CONTEXT that is not redo's, after the record
    another pid than that of the process whose message it is

`Roles` remembers which pid plays which part, from the messages that no client can have written
because none can connect yet: those between the server's start and its first connection. Of a log
that begins later it has no more than guesses: what they say is unproven. That a line shows no
session proves nothing: the parallel worker that runs a session's function has no values of it.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from parsers.log.format import LogRecord
from parsers.log.messages.event import Event
from parsers.log.messages.message import (
    ANYONE,
    BACKGROUND,
    POSTMASTER,
    STARTUP,
    WALRECEIVER,
    Message,
)
from parsers.log.prefix import BACKEND_TYPES
from parsers.log.recovery_events import FIRST_WORDS

# Types of `BACKEND_TYPES` that run no function of a user's; the others run them, or are sessions.
_OWN_TYPES: Final = frozenset({
    "postmaster", "startup", "checkpointer", "background writer", "walwriter", "archiver",
    "walreceiver", "walsummarizer", "autovacuum launcher", "logical replication launcher",
    "logger", "io worker", "slotsync worker",
})  # fmt: skip
# FATALs that a session gets as well: by its options, its libraries, the files that it reads.
_OF_SESSIONS_TOO: Final = frozenset({
    Event.BAD_GUC_VALUE, Event.PRELOAD_LIB_MISSING, Event.PRELOAD_LIB_BROKEN, Event.READ_FAILED,
    Event.DATA_SYNC_WRITE, Event.WAL_OPEN_FAILED,
})  # fmt: skip
_OPENINGS: Final = frozenset({Event.READY_READ_ONLY, Event.READY_READ_WRITE})
_REMEMBERED: Final = 4096  # pids of sessions


class Roles:
    """The pids of the server's processes, as far as the log shows them."""

    def __init__(self) -> None:
        self._pid: dict[str, int] = {}
        self._guess: dict[str, int] = {}  # by words that a client may have written
        self._open: bool | None = None  # clients can connect; None: not told yet
        self._down = True  # no server is known to run: one may start
        self._newcomer: int | None = None  # says that it is a starting server
        self._sessions: OrderedDict[int, None] = OrderedDict()

    @property
    def is_known(self) -> bool:
        """Some process of the server is known, or a session."""
        return bool(self._pid or self._sessions)

    def accepts(self, message: Message, record: LogRecord, redo_context: bool) -> bool | None:
        """Tell whether `record` is what `message` says: True proven, None unproven, False forged.

        `redo_context` tells whether the record's CONTEXT is that of redo.
        """
        if message.process == ANYONE:
            return True
        if self._betrayed(record, redo_context):
            return False
        if record.ambiguous:  # what fails to connect to a primary quotes the primary's FATAL
            return None if message.process == WALRECEIVER else False
        if record.doubtful:
            return None
        if record.backend_type is not None:
            return _fits(message.process, record.backend_type)
        is_fatal = record.severity in ("FATAL", "PANIC") and message.process == BACKGROUND
        if is_fatal and (message.event not in _OF_SESSIONS_TOO or not self._open):
            return True  # no client chooses the text of its FATAL
        return self._accepts_pid(message, record)

    def learn(self, message: Message, record: LogRecord, *, sure: bool) -> None:
        """Remember the writer of an accepted record; `sure`: it is proven."""
        if message.process == ANYONE:
            return
        if message.event == Event.SERVER_STARTING:
            self._newcomer = record.pid
            if self._down:
                self._restart({POSTMASTER: record.pid})
        elif message.event == Event.SERVER_SHUT_DOWN and sure:
            self._down, self._open = True, False
        elif message.event == Event.REINITIALIZING and sure:
            self._pid.pop(STARTUP, None)
            self._open = False
        elif self._follows_newcomer(message, record):
            self._restart({POSTMASTER: self._newcomer, STARTUP: record.pid})
        elif message.event in _OPENINGS:
            self._open = True
        elif self._open is None and message.event not in _OF_SESSIONS_TOO:
            self._open = message.event not in FIRST_WORDS
        if record.pid is not None and message.process in (STARTUP, POSTMASTER):
            pids = self._pid if sure else self._guess
            pids.setdefault(message.process, record.pid)

    def _restart(self, pids: dict[str, int | None]) -> None:
        self._pid = {process: pid for process, pid in pids.items() if pid is not None}
        self._guess.clear()
        self._sessions.clear()
        self._down, self._newcomer, self._open = False, None, False

    def _follows_newcomer(self, message: Message, record: LogRecord) -> bool:
        """A second process, of a server that was not seen to stop, opens a recovery."""
        return (
            self._newcomer is not None
            and message.event in FIRST_WORDS
            and record.pid not in (None, self._newcomer, *self._pid.values())
        )

    def is_recovery(self, record: LogRecord) -> bool | None:
        """Tell whether the startup process or the postmaster wrote this; None: it may have."""
        if record.session or record.statement is not None or record.ambiguous or record.doubtful:
            return False
        if record.backend_type is not None:
            return record.backend_type in (STARTUP, POSTMASTER)
        if record.pid is None or record.pid in self._pid.values():
            return record.pid is not None
        return None if record.pid in self._guess.values() else False

    def _betrayed(self, record: LogRecord, redo_context: bool) -> bool:
        session = (
            record.session
            or record.statement is not None
            or (record.context is not None and not redo_context)
            or record.pid in self._sessions
        )
        if session and record.pid is not None and record.backend_type is None:
            self._sessions[record.pid] = None
            if len(self._sessions) > _REMEMBERED:
                self._sessions.popitem(last=False)
        return session

    def _accepts_pid(self, message: Message, record: LogRecord) -> bool | None:
        known = self._pid.get(message.process)
        if record.pid is None:
            return True if self._nobody_connects(message) else None
        if message.event == Event.SERVER_STARTING:
            return True if self._down else None
        if self._follows_newcomer(message, record):
            return True
        if known is not None:
            return record.pid == known
        if record.pid in self._pid.values():
            return message.process == BACKGROUND
        # Not seen yet: sure when the start was, for no client connects before.
        sure = POSTMASTER in self._pid and message.process == STARTUP and self._open is False
        return True if sure else None

    def _nobody_connects(self, message: Message) -> bool:
        """No client can have written a line without a pid: the server starts, or is to start."""
        return self._open is False or (
            self._open is None and message.event == Event.SERVER_STARTING
        )


def _fits(process: str, backend_type: str) -> bool | None:
    if process != BACKGROUND:
        return backend_type == process
    if backend_type in _OWN_TYPES:
        return True
    return False if backend_type in BACKEND_TYPES else None  # an extension's own
