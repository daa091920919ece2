"""A restore as a state machine: recovery events in, its phase out.

`TRANSITIONS` is the machine, one row an event: what the phase becomes. Five rules are not in it,
because the event and the phase alone do not decide them:

- *Which attempt an event belongs to.* A server starts again and again in one log, and a start that
  is refused leaves the earlier server running (`_begins_attempt`, `_begin_attempt`,
  `_is_ignored`): it takes what the attempt has said so far, and whose lock file is spoken of.
- *Whether it counts.* An event that the format does not prove to be a server's decides only after
  a companion in the same attempt (`_COMPANIONS`), and never twice (`_ONCE`). An end of which any
  session could write the words is no more than a doubt (`_is_doubtful`), until something follows.
- *Any FATAL of the startup process ends it*, whatever its event: hundreds of messages, most of them
  in no table. So does a death that it does not log (`Attempt.fatal`, `Attempt.killed`).
- *A shutdown* ends an attempt unless the attempt is over or waits at its target: that one has
  reached it all the same (`_UNFINISHED`).
- *Which attempt is judged*: the last archive recovery, until a start after it fails (`attempt`).
  Crash recovery, a clean start and a primary's traffic are no restore.

What an event says beyond the phase is noted by `rules.live.attempt`.

Follows StartupXLOG and PerformWalRecovery in src/backend/access/transam/{xlog,xlogrecovery}.c.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from parsers.log.messages.event import Event
from parsers.log.messages.message import BACKGROUND
from parsers.log.recovery_events import FIRST_WORDS, RecoveryEvent
from rules.live.attempt import BEFORE_START, Attempt
from rules.live.phase import Phase

_P: Final = Phase
_BEFORE_REDO: Final = frozenset({_P.NONE, _P.STARTING, _P.FETCHING})
_REDO: Final = frozenset({_P.REPLAYING, _P.CONSISTENT, _P.READ_ONLY, _P.WAITING})
_STOPPED: Final = frozenset({_P.STOPPING, _P.PAUSED_AT_TARGET, _P.PAUSED})
_ALIVE: Final = _BEFORE_REDO | _REDO | _STOPPED | {_P.PROMOTING}
# A server stopped while it waits at its target has still reached it.
_UNFINISHED: Final = _ALIVE - {_P.PAUSED_AT_TARGET}

# event, from these phases, to this one. An event that is not here, or comes in another phase,
# changes no phase.
TRANSITIONS: Final[tuple[tuple[Event, frozenset[Phase], Phase], ...]] = (
    (Event.SERVER_STARTING, frozenset(Phase), _P.STARTING),
    (Event.FILE_RESTORED, frozenset({_P.NONE, _P.STARTING}), _P.FETCHING),
    (Event.FILE_RESTORED, frozenset({_P.WAITING, _P.PAUSED}), _P.READ_ONLY),
    (Event.FILE_MISSING, frozenset({_P.STARTING}), _P.FETCHING),
    (Event.REDO_STARTED, _BEFORE_REDO, _P.REPLAYING),
    (Event.REDO_PROGRESS, _BEFORE_REDO, _P.REPLAYING),
    (Event.CONSISTENCY_REACHED, _BEFORE_REDO | {_P.REPLAYING}, _P.CONSISTENT),
    (Event.READY_READ_ONLY, _BEFORE_REDO | {_P.REPLAYING, _P.CONSISTENT}, _P.READ_ONLY),
    (Event.WAL_WAIT, _REDO, _P.WAITING),
    (Event.STREAM_STARTED, frozenset({_P.WAITING}), _P.READ_ONLY),
    (Event.RECOVERY_STOPPING, _BEFORE_REDO | _REDO | {_P.PAUSED}, _P.STOPPING),
    (Event.PAUSED_AT_TARGET, _ALIVE, _P.PAUSED_AT_TARGET),
    (Event.RECOVERY_PAUSED, _BEFORE_REDO | _REDO, _P.PAUSED),
    (Event.SHUTDOWN_AT_TARGET, _ALIVE, _P.SHUT_DOWN),
    (Event.PROMOTE_REQUESTED, _REDO | _STOPPED, _P.PROMOTING),
    (Event.REDO_DONE, _ALIVE, _P.PROMOTING),
    (Event.TIMELINE_SELECTED, _ALIVE, _P.PROMOTING),
    (Event.ARCHIVE_RECOVERY_COMPLETE, _ALIVE, _P.ENDED),
    (Event.READY_READ_WRITE, _ALIVE, _P.ENDED),
    (Event.STARTUP_FAILED, _ALIVE, _P.FAILED),
    (Event.STARTUP_FAILED_EARLY, _ALIVE, _P.FAILED),
)
_NEXT: Final = {
    (phase, event): target for event, sources, target in TRANSITIONS for phase in sources
}

# What may change a phase, or begin another attempt.
MOVING: Final = frozenset(event for event, _, _ in TRANSITIONS) | BEFORE_START | FIRST_WORDS | {
    Event.SERVER_SHUT_DOWN, Event.PROCESS_EXITED, Event.PROCESS_KILLED,
}  # fmt: skip
# What may follow a refused start without telling that an earlier server is still running.
_OF_STARTS: Final = BEFORE_START | FIRST_WORDS | {Event.SERVER_STARTING, Event.SERVER_SHUT_DOWN}
_OVER: Final = frozenset({_P.ENDED, _P.FAILED, _P.SHUT_DOWN})
# What a log that was rotated begins with, where a restore takes long.
_REPLAYED: Final = frozenset({
    Event.REDO_STARTED, Event.FILE_RESTORED, Event.CONSISTENCY_REACHED, Event.RECOVERY_STOPPING,
})  # fmt: skip
# An unproven event decides only after one of these came in the same attempt.
_COMPANIONS: Final = {
    Event.ARCHIVE_RECOVERY_COMPLETE: frozenset({Event.REDO_DONE, Event.TIMELINE_SELECTED}),
    Event.PAUSED_AT_TARGET: frozenset({Event.RECOVERY_STOPPING}),
    Event.SHUTDOWN_AT_TARGET: frozenset({Event.RECOVERY_STOPPING}),
    Event.RECOVERY_STOPPING: _REPLAYED | {Event.RECOVERY_TARGET_SET},
    Event.REDO_DONE: _REPLAYED,
    Event.TIMELINE_SELECTED: frozenset({Event.REDO_DONE}),
}
# What a start says once: an unproven one does not replace what is known.
_ONCE: Final = frozenset({
    Event.RECOVERY_TARGET_SET, Event.REDO_STARTED, Event.CONSISTENCY_REACHED,
    Event.RECOVERY_STOPPING, Event.REDO_DONE, Event.LAST_TRANSACTION, Event.TIMELINE_SELECTED,
})  # fmt: skip
_DEATHS: Final = frozenset({Event.PROCESS_EXITED, Event.PROCESS_KILLED})
_FAILURES: Final = frozenset({Event.STARTUP_FAILED, Event.STARTUP_FAILED_EARLY})
# How a recovery that goes on ends, in words that nothing else has to go before.
_HALTS: Final = frozenset({
    Event.SERVER_SHUT_DOWN, Event.SHUTDOWN_REQUESTED, Event.READY_READ_WRITE,
})  # fmt: skip
# Said by a postmaster that starts, and by an archiver whose archive_library is not there.
_OF_CHILDREN_TOO: Final = frozenset({Event.PRELOAD_LIB_MISSING, Event.PRELOAD_LIB_BROKEN})
_DATA_LOCK: Final = "postmaster.pid"  # the other lock is the socket's, taken after the first line


class RestoreMachine:
    """One server's log, followed from wherever it is first read."""

    def __init__(self) -> None:
        self.current = Attempt()
        self._last_archive: Attempt | None = None
        self._before_refusal: Attempt | None = None  # a recovery that may go on all the same
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
        if event.name == Event.LANGUAGE_UNREADABLE:
            self.unreadable = event
        if self._is_ignored(event):
            return
        if self._begins_attempt(event):
            self._begin_attempt(event)
        elif self._before_refusal is not None and event.name not in _OF_STARTS:
            self.current, self._before_refusal = self._before_refusal, None
        attempt = self.current
        companions = _COMPANIONS.get(event.name)
        if not event.proven and companions is not None and not companions & attempt.seen:
            return
        if not event.proven and event.name in _ONCE & attempt.seen:
            return
        if not event.proven and _is_doubtful(event, attempt):
            attempt.doubted = event if attempt.phase not in _OVER else attempt.doubted
            return
        if event.name in MOVING - _HALTS - _DEATHS - _FAILURES:
            attempt.doubted = None
        attempt.note(event)
        _move(attempt, event)
        if attempt.archive_recovery and not attempt.refused:
            self._last_archive = attempt

    def _is_ignored(self, event: RecoveryEvent) -> bool:
        """A second server that gives up; a start that nobody can vouch for, with one under way."""
        current = self.current
        if event.name in _OF_CHILDREN_TOO:
            return bool(current.seen - BEFORE_START) and not current.is_down
        if event.name == Event.SERVER_STARTING and not event.proven:
            return bool(current.seen) and not (current.is_down or current.phase is Phase.FAILED)
        if not _is_refusal(event) or not current.is_up:
            return False
        if not event.proven:
            return True
        # What has the data directory's lock is the server that is still running.
        return current.opened or event.text("path") == _DATA_LOCK

    def _begins_attempt(self, event: RecoveryEvent) -> bool:
        current = self.current
        if event.name == Event.SERVER_STARTING:
            return current.refused or not current.seen <= BEFORE_START
        if event.name in FIRST_WORDS:
            over = current.phase in _OVER or current.is_down
            return over or bool(current.seen & FIRST_WORDS)
        if _is_refusal(event) and event.name != Event.LOCK_FILE_EXISTS:
            return current.refused or not current.seen <= BEFORE_START
        # The socket's lock is asked for by a server that has begun to start.
        return event.name == Event.LOCK_FILE_EXISTS and not current.seen <= {Event.SERVER_STARTING}

    def _begin_attempt(self, event: RecoveryEvent) -> None:
        """A refused start leaves open whether the earlier recovery still runs: its lines tell."""
        refused = event.name in BEFORE_START
        if not refused:
            self._before_refusal = None
        elif self.current.is_up:
            self._before_refusal = self.current
        complaint = self.current.complaint if refused else None
        self.current = Attempt(started_at=event.at, complaint=complaint)

    def _is_failed_start(self) -> bool:
        """A start that failed after a restore, or may have: that restore is not open any more."""
        current = self.current
        failed = current.phase is Phase.FAILED or current.doubted is not None
        return failed and not current.crash_recovery


def _is_doubtful(event: RecoveryEvent, attempt: Attempt) -> bool:
    """An unproven end: of a start that was seen, or of one that the log begins after."""
    if event.severity in ("FATAL", "PANIC"):
        said_by_others = event.process == BACKGROUND or event.name == Event.UNLISTED_FATAL
        return said_by_others and (event.pid is None or event.pid != attempt.startup_pid)
    if event.name in _FAILURES or (event.name in _DEATHS and attempt.is_death(event)):
        return True
    if event.name == Event.READY_READ_WRITE and Event.REDO_DONE in attempt.seen:
        return False
    return event.name in _HALTS and attempt.archive_recovery and attempt.phase in _UNFINISHED


def _is_refusal(event: RecoveryEvent) -> bool:
    return event.name in BEFORE_START and event.severity == "FATAL"


def _move(attempt: Attempt, event: RecoveryEvent) -> None:
    attempt.phase = _NEXT.get((attempt.phase, event.name), attempt.phase)
    if attempt.fatal is not None or attempt.killed is not None:
        attempt.phase = Phase.FAILED
    elif event.name == Event.SERVER_SHUT_DOWN and attempt.phase in _UNFINISHED:
        attempt.phase = Phase.SHUT_DOWN
