"""Who wrote a record: which of the server's processes, or a client that only sounds like one.

A client can put any text into a log (``RAISE LOG 'archive recovery complete'``, an application
name, a statement). What betrays it, from the strongest proof to the weakest:

    the backend type (csvlog, jsonlog, %b) or a session's values in the prefix (%u, %d, after %q)
    a STATEMENT line, or a CONTEXT that is not redo's, after the record
    another pid than that of the process whose message it is

`Roles` remembers which pid plays which part, from the messages that no client can have written
because none can connect yet: those between the server's start and its first connection.
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
from parsers.log.recovery_events import FIRST_WORDS

_CLIENT_TYPES: Final = frozenset({
    "client backend", "dead-end client backend", "not initialized", "walsender",
    "standalone backend",
})  # fmt: skip
_REMEMBERED: Final = 4096  # pids of sessions


class Roles:
    """The pids of the server's processes, as far as the log shows them."""

    def __init__(self) -> None:
        self._pid: dict[str, int] = {}
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
        if record.severity in ("FATAL", "PANIC") and message.process == BACKGROUND:
            return True  # no client chooses the text of its FATAL
        return self._accepts_pid(message, record)

    def learn(self, message: Message, record: LogRecord) -> None:
        """Remember the writer of an accepted record."""
        if message.event == Event.SERVER_STARTING:
            self._newcomer = record.pid
            if self._down:
                self._restart({POSTMASTER: record.pid})
        elif message.event == Event.SERVER_SHUT_DOWN:
            self._down = True
        elif message.event == Event.REINITIALIZING:
            self._pid.pop(STARTUP, None)
        elif self._follows_newcomer(message, record):
            self._restart({POSTMASTER: self._newcomer, STARTUP: record.pid})
        if record.pid is not None and message.process in (STARTUP, POSTMASTER):
            self._pid.setdefault(message.process, record.pid)

    def _restart(self, pids: dict[str, int | None]) -> None:
        self._pid = {process: pid for process, pid in pids.items() if pid is not None}
        self._sessions.clear()
        self._down, self._newcomer = False, None

    def _follows_newcomer(self, message: Message, record: LogRecord) -> bool:
        """A second process, of a server that was not seen to stop, opens a recovery."""
        return (
            self._newcomer is not None
            and message.event in FIRST_WORDS
            and record.pid not in (None, self._newcomer, *self._pid.values())
        )

    def is_recovery(self, record: LogRecord) -> bool:
        """Tell whether the startup process or the postmaster surely wrote this."""
        if record.session or record.statement is not None or record.ambiguous or record.doubtful:
            return False
        if record.backend_type is not None:
            return record.backend_type in (STARTUP, POSTMASTER)
        return record.pid is not None and record.pid in self._pid.values()

    def _betrayed(self, record: LogRecord, redo_context: bool) -> bool:
        session = (
            record.session is True
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
            return True if record.session is False else None
        if message.event == Event.SERVER_STARTING:
            return True if self._down else None
        if self._follows_newcomer(message, record):
            return True
        if known is not None:
            return record.pid == known
        if record.pid in self._pid.values():
            return message.process == BACKGROUND
        # Not seen yet: sure when the start was (no client connects before), or the prefix tells.
        sure = POSTMASTER in self._pid and message.process == STARTUP
        return True if sure or record.session is False else None


def _fits(process: str, backend_type: str) -> bool:
    if process == BACKGROUND:
        return backend_type not in _CLIENT_TYPES
    return backend_type == process
