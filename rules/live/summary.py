"""One verdict about one restore: what `pitr-watch` says at the end, and its exit status.

The keys are those of the contract in the documentation of `pitr-watch`; `None` is unknown.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple

from parsers.log.messages.event import Event
from parsers.log.recovery_events import RecoveryEvent
from parsers.values import dataclass
from rules.live.attempt import Attempt
from rules.live.outcomes import FAILED, IN_PROGRESS, NONE, PAUSED, PROMOTED, SHUT_DOWN
from rules.live.phase import Phase
from rules.live.state_machine import RestoreMachine
from rules.model.findings import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredTarget:
    """What recovery was told to stop at."""

    type: str | None  # none, time, lsn, xid, name, immediate; None: the log does not say
    value: str | int | datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachedStop:
    """Where recovery stopped. All None while it has not."""

    position: str | None = None  # before, after, at
    kind: str | None = None  # commit, abort, restore_point, lsn, consistency, end_of_wal
    xid: int | None = None
    lsn: int | None = None  # start of the record
    time: datetime | None = None
    name: str | None = None


class WalBeyond(NamedTuple):
    """WAL of the same timeline after an end of WAL that was none."""

    segment: str  # the one at which recovery ended
    damage: str | None  # how the server says that it does not read; None: it is not there
    later_count: int  # segments after it
    newest: str  # of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The verdict about a restore."""

    outcome: str | None  # None: the log could not be read
    reached_target: bool | None
    target: ConfiguredTarget
    redo_start_lsn: int | None
    consistent_lsn: int | None
    stop: ReachedStop
    redo_done_lsn: int | None
    last_transaction_at: datetime | None
    new_timeline: int | None
    restored_segments: tuple[str, ...]  # in order, with repetitions
    missing_files: tuple[str, ...]  # asked for and not there, in order, with repetitions
    fatal_message: str | None
    beyond: WalBeyond | None = None  # what the archive holds more than recovery could reach
    wal_end: RecoveryEvent | None = None  # the last record or page that did not read
    unfetched: RecoveryEvent | None = None  # what went wrong where recovery took the WAL for ended
    doubted: RecoveryEvent | None = None  # an end that the log's format does not prove
    newer_release: bool = False  # than this program knows

    @property
    def verdict(self) -> Verdict:
        """The verdict of the exit status."""
        if self.outcome == FAILED or self.beyond is not None:
            return Verdict.CRITICAL
        if (
            self.outcome is None
            or self.doubted is not None
            or self._may_be_otherwise
            or self.unfetched is not None
        ):
            return Verdict.UNKNOWN
        if self.outcome == IN_PROGRESS:
            return Verdict.WARNING
        if self.outcome == PAUSED:
            return Verdict.OK if self.reached_target else Verdict.WARNING
        if self.outcome == SHUT_DOWN:
            return Verdict.OK if self.reached_target else Verdict.CRITICAL
        return Verdict.CRITICAL if self.reached_target is False else Verdict.OK

    @property
    def _may_be_otherwise(self) -> bool:
        """A release to come may say in other words that the target was reached."""
        ended = self.outcome in (PROMOTED, PAUSED, SHUT_DOWN)
        unsaid = self.reached_target is None and self.target.type != "none"
        return self.newer_release and ended and unsaid


def summarize(restore: RestoreMachine) -> Summary:
    """Judge what has been seen so far."""
    attempt, outcome = restore.attempt, outcome_of(restore)
    reached = _reached(attempt, outcome)
    return Summary(
        outcome=outcome,
        reached_target=reached,
        target=ConfiguredTarget(type=_target_type(attempt), value=attempt.target_value),
        redo_start_lsn=attempt.redo_start_lsn,
        consistent_lsn=attempt.consistent_lsn,
        stop=_stop(attempt),
        redo_done_lsn=attempt.redo_done_lsn,
        last_transaction_at=attempt.last_transaction_at,
        new_timeline=attempt.new_timeline,
        restored_segments=tuple(attempt.restored_segments),
        missing_files=tuple(attempt.missing_files),
        fatal_message=attempt.fatal.message if attempt.fatal is not None else None,
        wal_end=attempt.wal_end,
        unfetched=_unfetched(attempt) if outcome == PROMOTED else None,
        doubted=attempt.doubted,
        newer_release=attempt.is_newer,
    )


def unread() -> Summary:
    """The summary of a log that could not be read."""
    return replace(summarize(RestoreMachine()), outcome=None, reached_target=None)


def refused_summary(message: str) -> Summary:
    """The summary of a restore that a tool did not even begin, in its words."""
    nothing = replace(summarize(RestoreMachine()), reached_target=False)
    return replace(nothing, outcome=FAILED, fatal_message=message)


def hold_to_sql(summary: Summary, in_recovery: bool | None) -> Summary:
    """A log without a restore in it proves nothing where SQL says that the server recovers."""
    if summary.outcome != NONE or not in_recovery:
        return summary
    target = ConfiguredTarget(type=None, value=None)
    return replace(summary, outcome=IN_PROGRESS, reached_target=None, target=target)


_DECISIVE: Final = frozenset({
    Event.ARCHIVE_RECOVERY_COMPLETE, Event.READY_READ_WRITE, Event.PAUSED_AT_TARGET,
    Event.SHUTDOWN_AT_TARGET, Event.REDO_STARTED, Event.REDO_DONE,
})  # fmt: skip
_OUTCOMES: Final = {
    Phase.FAILED: FAILED,
    Phase.ENDED: PROMOTED,
    Phase.PAUSED_AT_TARGET: PAUSED,
    Phase.PAUSED: PAUSED,
    Phase.SHUT_DOWN: SHUT_DOWN,
}


def outcome_of(restore: RestoreMachine) -> str | None:
    """What it has come to; None where the log cannot be read."""
    attempt = restore.attempt
    if restore.unreadable is not None and not attempt.seen & _DECISIVE:
        return None
    return outcome_of_attempt(attempt)


def outcome_of_attempt(attempt: Attempt) -> str:
    """What one start has come to, by a log that can be read."""
    if attempt.phase is Phase.FAILED:
        return FAILED
    if not attempt.archive_recovery:
        return IN_PROGRESS if attempt.may_restore else NONE
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
    if attempt.stop is None and attempt.is_newer:
        return None
    return attempt.stop is not None and not target_before_backup(attempt)


def _unfetched(attempt: Attempt) -> RecoveryEvent | None:
    """An error that recovery took for the end of the WAL: what it did not fetch, or is not its own.

    What the archive does not hold may well be its end.
    """
    event = attempt.unfetched
    if attempt.stop is not None or Event.PROMOTE_REQUESTED in attempt.seen:
        return None
    if event is not None and (
        event.name == Event.RESTORE_LIED or event.fields.get("harmless") is False
    ):
        return event
    foreign = attempt.wal_end is not None and attempt.wal_end.name == Event.WAL_OTHER_SYSTEM
    return attempt.wal_end if foreign and attempt.archive_recovery else None


def target_before_backup(attempt: Attempt) -> bool:
    """Tell whether the target lies before the data themselves: the state opened is a later one."""
    target, data = attempt.target_value, attempt.data_as_of
    return isinstance(target, datetime) and data is not None and target < data


def _target_type(attempt: Attempt) -> str | None:
    if attempt.target_type is None and not attempt.archive_recovery:
        begun = attempt.phase is Phase.FAILED and not attempt.refused
        return None if begun else "none"
    if attempt.target_type is None and attempt.standby and attempt.stop is None:
        return "none"
    return attempt.target_type  # a standby does not log its target: only the stop shows it


def _stop(attempt: Attempt) -> ReachedStop:
    event = attempt.stop
    if event is None:
        if attempt.redo_done_lsn is None or not attempt.archive_recovery:
            return ReachedStop()
        return ReachedStop(position="at", kind="end_of_wal", lsn=attempt.redo_done_lsn)
    return ReachedStop(
        position=event.text("position"),
        kind=event.text("kind"),
        xid=event.number("xid"),
        lsn=event.lsn() if event.lsn() is not None else attempt.redo_done_lsn,
        time=event.instant(),
        name=event.text("name"),
    )
