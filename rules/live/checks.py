"""The four checks that tell whether a restore is over: SQL, the log, the signal file, promotion."""

from __future__ import annotations

from typing import Final, NamedTuple

from parsers.log.messages.event import Event
from parsers.sentences import tr
from rules.live.attempt import Attempt
from rules.live.outcomes import IN_PROGRESS, NONE, PAUSED, PROMOTED, SHUT_DOWN
from rules.live.summary import Summary

RESUME: Final = "SELECT pg_wal_replay_resume();"
_UNDECIDED: Final = (None, NONE, IN_PROGRESS)
_LOG: Final = tr("the log")
_PROMOTION: Final = tr("promotion")


class EndCheck(NamedTuple):
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
) -> tuple[EndCheck, ...]:
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


def _sql(in_recovery: bool | None, still: bool | None, no_sql: str) -> EndCheck:
    if in_recovery is None:
        return EndCheck("pg_is_in_recovery()", None, tr("not asked: {why}", why=no_sql))
    found = (
        tr("true, as it must be while paused")
        if in_recovery and still
        else str(in_recovery).lower()
    )
    return EndCheck("pg_is_in_recovery()", _fits(in_recovery, still), found)


def _log(summary: Summary, attempt: Attempt) -> EndCheck:
    if summary.fatal_message:
        return EndCheck(_LOG, False, summary.fatal_message)
    if attempt.stop is not None:
        return EndCheck(_LOG, True, attempt.stop.message)
    if attempt.target_type in (None, "none") and summary.redo_done_lsn is not None:
        return EndCheck(_LOG, True, tr("replayed to the end of the WAL it could get"))
    return EndCheck(_LOG, None, tr("it shows no stop"))


def _signal(recovery_signal: bool | None, still: bool | None) -> EndCheck:
    if recovery_signal is None:
        return EndCheck("recovery.signal", None, tr("not looked for: give --pgdata"))
    found = tr("there") if recovery_signal else tr("gone")
    return EndCheck("recovery.signal", _fits(recovery_signal, still), found)


def _fits(found: bool, still: bool | None) -> bool | None:
    return None if still is None else found is still


def _promotion(summary: Summary, attempt: Attempt) -> EndCheck:
    if summary.outcome == PROMOTED:
        found = tr("open for writing") if attempt.opened else tr("complete, not open yet")
        if timeline := summary.new_timeline:
            found = tr("{opened}, timeline {timeline}", opened=found, timeline=timeline)
        return EndCheck(_PROMOTION, attempt.opened or None, found)
    if summary.outcome == PAUSED:
        stopped = attempt.is_down
        low = attempt.low_setting is not None or Event.PARAMS_SHORT in attempt.seen
        waits = tr("waits for  {statement}", statement=RESUME)
        if stopped:
            waits = tr("not yet: the server is down")
        elif low:
            waits = tr("resuming would shut it down")
        return EndCheck(_PROMOTION, None, waits)
    if summary.outcome in _UNDECIDED:
        none = tr("no restore to judge") if summary.outcome == NONE else tr("not yet")
        return EndCheck(_PROMOTION, None, none)
    if summary.outcome == SHUT_DOWN:
        return EndCheck(_PROMOTION, None, tr("not yet: the server shut down at the target"))
    return EndCheck(_PROMOTION, False, tr("did not happen"))
