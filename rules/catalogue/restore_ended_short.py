"""The last restore opened the database before its target, or before the end of the archived WAL.

Why it matters
    PostgreSQL takes a missing segment for the end of WAL and promotes without any error. The server
    runs and looks healthy, but the transactions beyond the gap are missing.
How to look
    pitr-watch --log LOG --once shows where recovery ended and what the archive holds beyond it.
What to do
    Do not let applications write to it yet. Find the segment that was missing (pg_wal of the
    primary and its standbys, other copies of the archive) and restore again, with a
    recovery_target_* so that PostgreSQL refuses to open short of it.
"""

from collections.abc import Iterator
from typing import Final

from parsers.log.messages.event import Event
from parsers.lsn import format_lsn
from parsers.sentences import tr
from rules.live.attempt import Attempt, describe_low_setting, raise_setting
from rules.live.facts import LiveRestore, fell_short
from rules.live.logged import LastRestore
from rules.live.observation import Observation
from rules.live.outcomes import PROMOTED, SHUT_DOWN
from rules.live.places import Places
from rules.live.shortfall import describe_beyond
from rules.model.findings import Severity
from rules.verdict.check import Found, Note, check

_WITHOUT_TARGET: Final = {
    PROMOTED: tr("promoted without having reached its target"),
    SHUT_DOWN: tr("shut_down without having reached its target"),
}


@check(severity=Severity.CRITICAL)
def restore_ended_short(restore: LiveRestore, look: Observation | None) -> Iterator[Found]:
    """To whoever watches, also what is odd about an end that did not fall short."""
    last = restore.last
    if last is None or last.summary.outcome not in (PROMOTED, SHUT_DOWN):
        return
    short = fell_short(last)
    cause, remedy = _explain(last, restore.places, look)
    if not short and (look is None or cause is None):
        return
    summary = last.summary
    words = cause or _WITHOUT_TARGET[last.summary.outcome]
    yield (Found if short else Note)(
        tr("the restore ended short: {words}", words=words) if short else words,
        remedy=remedy,
        cause=cause,
        outcome=summary.outcome,
        redo_done_lsn=None if summary.redo_done_lsn is None else format_lsn(summary.redo_done_lsn),
        ended_at=last.at.isoformat() if last.at else None,
    )


def _explain(
    last: LastRestore, places: Places, look: Observation | None
) -> tuple[str | None, str | None]:
    """Why it ended so, and what to type next."""
    summary, attempt = last.summary, last.attempt
    if summary.beyond is not None:
        cause = describe_beyond(summary.beyond, places.stored)
        return cause, places.mend(summary.beyond.segment, attempt)
    if summary.outcome == SHUT_DOWN and Event.SHUTDOWN_AT_TARGET in attempt.seen:
        return _explain_shutdown(attempt, look)
    if summary.outcome == SHUT_DOWN and attempt.low_setting is not None:
        return (
            tr(
                "recovery paused, since {low_setting}, and the server was stopped: "
                "started again, it comes to the same pause",
                low_setting=describe_low_setting(attempt.low_setting),
            ),
            raise_setting(attempt.low_setting, places.settings),
        )
    if summary.outcome == SHUT_DOWN:
        mode = attempt.shutdown_mode
        how = tr(" ({mode} shutdown)", mode=mode) if mode else ""
        told = tr("the server was told to stop{how} before recovery ended", how=how)
        return told, "pg_ctl start"
    if summary.reached_target is False and attempt.stop is not None:
        return (
            tr(
                "the target is older than the backup: the server opened with a later "
                "state than the one asked for"
            ),
            tr("restore a backup that ended before the target"),
        )
    if attempt.target_type == "none" and attempt.wal_end is not None:
        return (
            tr(
                "recovery took damaged or foreign WAL for the end: {message}",
                message=attempt.wal_end.message,
            ),
            places.check(attempt),
        )
    return None, None


def _explain_shutdown(attempt: Attempt, look: Observation | None) -> tuple[str, str]:
    """By recovery_target_action, or by a pause without hot standby (validateRecoveryParameters).

    A server that opened for reading was a hot standby; the files say what was set.
    """
    settings = look.configured if look is not None else {}
    paused = settings.get("recovery_target_action", "pause").lower() == "pause"
    how = tr("recovery_target_action = shutdown")
    if Event.READY_READ_ONLY not in attempt.seen:
        if not settings:
            how = tr("recovery_target_action = shutdown, or pause where hot_standby is off")
        elif paused:
            how = tr("hot_standby is off, which makes a shutdown of recovery_target_action = pause")
    return (
        tr("the server shut down at its target: {how}", how=how),
        tr(
            "remove the recovery_target* settings or set recovery_target_action "
            "= promote, and start the server"
        ),
    )
