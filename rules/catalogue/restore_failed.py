"""The last restore failed.

Why it matters
    The server is not open: recovery ended in a FATAL, or its process died. What the restore was
    for has not happened.
How to look
    pitr-watch --log LOG --once names the FATAL line, its cause and the next command.
What to do
    Read the cause, correct it, and start the server again: recovery restarts from the backup.
    pitr-watch --log FILE --once shows the whole history; pitr-check predicts whether the
    next attempt will reach its target.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.live.attempt import Attempt, describe_release
from rules.live.facts import LiveRestore
from rules.live.forecast import Forecast
from rules.live.outcomes import FAILED
from rules.live.places import Places
from rules.live.reasons import Reason, explain_failure
from rules.live.shortfall import describe_beyond
from rules.live.summary import Summary
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL)
def restore_failed(restore: LiveRestore, forecast: Forecast | None) -> Iterator[Found]:
    last = restore.last
    if last is None or last.summary.outcome != FAILED or restore.in_progress:
        return
    reason = _explain(last.attempt, last.summary, restore.places, forecast)
    yield Found(
        tr("the restore failed: {cause}", cause=reason.cause),
        remedy=reason.remedy,
        cause=reason.cause,
        fatal_message=last.summary.fatal_message,
        target_type=last.summary.target.type,
        failed_at=last.at.isoformat() if last.at else None,
    )


def _explain(
    attempt: Attempt, summary: Summary, places: Places, forecast: Forecast | None
) -> Reason:
    """What was seen in the archive goes before what the log tells: it knows what lies beyond."""
    told = explain_failure(attempt, places)
    if summary.beyond is not None:
        cause = describe_beyond(summary.beyond, places.stored)
        told = Reason(cause, places.mend(summary.beyond.segment, attempt))
    elif forecast is not None and forecast.foretold(summary) and not attempt.command_failed:
        told = Reason(forecast.outcome.reason, forecast.outcome.remedy or told.remedy)
    release = describe_release(attempt)
    if release is None:
        return told
    return Reason(tr("{cause} ({release})", cause=told.cause, release=release), told.remedy)
