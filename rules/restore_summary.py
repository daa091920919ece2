"""One verdict about one restore: what `pitr-watch` says at the end, and its exit status.

The keys are those of the contract in the documentation of `pitr-watch`; `None` is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from parsers.recovery_events import RecoveryEvent
from rules.findings import Verdict
from rules.restore_causes import explain
from rules.restore_state import Attempt, Phase, Restore

PROMOTED, PAUSED, FAILED = "promoted", "paused", "failed"
IN_PROGRESS, SHUT_DOWN, NONE = "in_progress", "shut_down", "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What recovery was told to stop at."""

    type: str | None  # none, time, lsn, xid, name, immediate; None: the log does not say
    value: str | int | datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Where recovery stopped. All None while it has not."""

    position: str | None = None  # before, after, at
    kind: str | None = None  # commit, abort, restore_point, lsn, consistency, end_of_wal
    xid: int | None = None
    lsn: int | None = None  # start of the record
    time: datetime | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The verdict about a restore."""

    outcome: str | None  # None: the log could not be read
    reached_target: bool | None
    target: Target
    redo_start_lsn: int | None
    consistent_lsn: int | None
    stop: Stop
    redo_done_lsn: int | None
    last_transaction_at: datetime | None
    new_timeline: int | None
    restored_segments: tuple[str, ...]  # in order, with repetitions
    missing_files: tuple[str, ...]  # asked for and not there, in order, with repetitions
    fatal_message: str | None
    cause: str | None  # in the language of restores
    next_command: str | None
    ended_short: bool = False  # the archive holds more than recovery could reach
    wal_end: RecoveryEvent | None = None  # the last record or page that did not read

    @property
    def verdict(self) -> Verdict:
        """The verdict of the exit status."""
        if self.outcome is None:
            return Verdict.UNKNOWN
        if self.outcome == FAILED or self.ended_short:
            return Verdict.CRITICAL
        if self.outcome == IN_PROGRESS:
            return Verdict.WARNING
        if self.outcome == PAUSED:
            return Verdict.OK if self.reached_target else Verdict.WARNING
        if self.outcome == SHUT_DOWN:
            return Verdict.OK if self.reached_target else Verdict.CRITICAL
        return Verdict.CRITICAL if self.reached_target is False else Verdict.OK


def summarize(restore: Restore) -> Summary:
    """Judge what has been seen so far."""
    attempt = restore.attempt
    outcome = None if _unreadable(restore) else _outcome(attempt)
    reached = _reached(attempt, outcome)
    explanation = explain(attempt, outcome, reached, restore.unreadable)
    return Summary(
        outcome=outcome,
        reached_target=reached,
        target=Target(type=_target_type(attempt), value=attempt.target_value),
        redo_start_lsn=attempt.redo_start_lsn,
        consistent_lsn=attempt.consistent_lsn,
        stop=_stop(attempt),
        redo_done_lsn=attempt.redo_done_lsn,
        last_transaction_at=attempt.last_transaction_at,
        new_timeline=attempt.new_timeline,
        restored_segments=tuple(attempt.restored_segments),
        missing_files=tuple(attempt.missing_files),
        fatal_message=_fatal_message(attempt.fatal),
        cause=explanation.cause,
        next_command=explanation.next_command,
        wal_end=attempt.wal_end,
    )


def unread(cause: str) -> Summary:
    """The summary of a log that could not be read."""
    return replace(summarize(Restore()), outcome=None, reached_target=None, cause=cause)


def _unreadable(restore: Restore) -> bool:
    return restore.unreadable is not None and not (restore.attempt.seen & _DECISIVE)


_DECISIVE: Final = frozenset({
    "archive_recovery_complete", "ready_read_write", "paused_at_target", "shutdown_at_target",
    "redo_started", "redo_done",
})  # fmt: skip
_OUTCOMES: Final = {
    Phase.FAILED: FAILED,
    Phase.ENDED: PROMOTED,
    Phase.PAUSED_AT_TARGET: PAUSED,
    Phase.PAUSED: PAUSED,
    Phase.SHUT_DOWN: SHUT_DOWN,
}


def _outcome(attempt: Attempt) -> str:
    if attempt.phase is Phase.FAILED:
        return FAILED
    if not attempt.archive_recovery:
        return NONE
    return _OUTCOMES.get(attempt.phase, IN_PROGRESS)


def _reached(attempt: Attempt, outcome: str | None) -> bool | None:
    if outcome == FAILED:
        return False
    if outcome in (None, NONE, IN_PROGRESS):
        return None
    if _target_type(attempt) in (None, "none") and attempt.stop is None:
        return None
    if outcome == PAUSED and attempt.phase is Phase.PAUSED:
        return None
    return attempt.stop is not None and not target_before_backup(attempt)


def target_before_backup(attempt: Attempt) -> bool:
    """Tell whether the target lies before the data themselves: the state opened is a later one."""
    target, data = attempt.target_value, attempt.data_as_of
    return isinstance(target, datetime) and data is not None and target < data


def _target_type(attempt: Attempt) -> str | None:
    if attempt.target_type is None and not attempt.archive_recovery:
        return "none"
    if attempt.target_type is None and attempt.standby and attempt.stop is None:
        return "none"
    return attempt.target_type  # a standby does not log its target: only the stop shows it


def _stop(attempt: Attempt) -> Stop:
    event = attempt.stop
    if event is None:
        if attempt.redo_done_lsn is None or not attempt.archive_recovery:
            return Stop()
        return Stop(position="at", kind="end_of_wal", lsn=attempt.redo_done_lsn)
    return Stop(
        position=event.text("position"),
        kind=event.text("kind"),
        xid=event.number("xid"),
        lsn=event.lsn() if event.lsn() is not None else attempt.redo_done_lsn,
        time=event.instant(),
        name=event.text("name"),
    )


def _fatal_message(event: RecoveryEvent | None) -> str | None:
    return event.message if event is not None else None
