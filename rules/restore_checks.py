"""The four checks that tell whether a restore is over: SQL, the log, the signal file, promotion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rules.restore_causes import RESUME
from rules.restore_state import Attempt
from rules.restore_summary import IN_PROGRESS, NONE, PAUSED, PROMOTED, SHUT_DOWN, Summary

_UNDECIDED: Final = (None, NONE, IN_PROGRESS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check. `good` is None when it could not be made."""

    what: str
    good: bool | None
    found: str


def four_checks(
    summary: Summary,
    attempt: Attempt,
    *,
    in_recovery: bool | None,
    no_sql: str,
    recovery_signal: bool | None,
) -> tuple[Check, ...]:
    """Make the four checks against what the outcome should look like.

    `no_sql` says why the server was not asked, where `in_recovery` is None.
    """
    still = None if summary.outcome in _UNDECIDED else summary.outcome in (PAUSED, SHUT_DOWN)
    return (
        _sql(in_recovery, still, no_sql),
        _log(summary, attempt),
        _signal(recovery_signal, still),
        _promotion(summary, attempt),
    )


def _sql(in_recovery: bool | None, still: bool | None, no_sql: str) -> Check:
    what = "pg_is_in_recovery()"
    if in_recovery is None:
        return Check(what=what, good=None, found=f"not asked: {no_sql}")
    found = (
        "true, as it must be while paused" if in_recovery and still else str(in_recovery).lower()
    )
    return Check(what=what, good=_fits(in_recovery, still), found=found)


def _log(summary: Summary, attempt: Attempt) -> Check:
    what = "the log"
    if summary.fatal_message:
        return Check(what=what, good=False, found=summary.fatal_message)
    if attempt.stop is not None:
        return Check(what=what, good=True, found=attempt.stop.message)
    if attempt.target_type in (None, "none") and summary.redo_done_lsn is not None:
        return Check(what=what, good=True, found="replayed to the end of the WAL it could get")
    return Check(what=what, good=None, found="it shows no stop")


def _signal(recovery_signal: bool | None, still: bool | None) -> Check:
    what = "recovery.signal"
    if recovery_signal is None:
        return Check(what=what, good=None, found="not looked for: give --pgdata")
    found = "there" if recovery_signal else "gone"
    return Check(what=what, good=_fits(recovery_signal, still), found=found)


def _fits(found: bool, still: bool | None) -> bool | None:
    return None if still is None else found is still


def _promotion(summary: Summary, attempt: Attempt) -> Check:
    what = "promotion"
    if summary.outcome == PROMOTED:
        timeline = f", timeline {summary.new_timeline}" if summary.new_timeline else ""
        opened = "open for writing" if attempt.opened else "complete, not open yet"
        return Check(what=what, good=attempt.opened or None, found=f"{opened}{timeline}")
    if summary.outcome == PAUSED:
        stopped = "server_shut_down" in attempt.seen
        waits = "not yet: the server is down" if stopped else "waits for  " + RESUME
        return Check(what=what, good=None, found=waits)
    if summary.outcome in _UNDECIDED:
        none = "no restore to judge" if summary.outcome == NONE else "not yet"
        return Check(what=what, good=None, found=none)
    if summary.outcome == SHUT_DOWN:
        return Check(what=what, good=None, found="not yet: the server shut down at the target")
    return Check(what=what, good=False, found="did not happen")
