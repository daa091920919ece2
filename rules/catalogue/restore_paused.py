"""Recovery is paused and waits for a person.

Why it matters
    At its target, with recovery_target_action = pause, the server is open for reading only until
    somebody decides. A standby that is paused falls behind, and its WAL piles up.
How to look
    SELECT pg_is_in_recovery(), pg_get_wal_replay_pause_state(), pg_last_wal_replay_lsn(),
    pg_last_xact_replay_timestamp() on the restored server.
What to do
    Look at the data. Go on with  SELECT pg_wal_replay_resume();  which promotes a restore that is
    at its target; or stop the server, set a later recovery_target_*, and start it again.
"""

from collections.abc import Iterator

from parsers.log.messages.event import Event
from parsers.sentences import tr
from rules.live.attempt import Attempt, describe_low_setting, raise_setting
from rules.live.checks import RESUME
from rules.live.facts import LiveRestore
from rules.live.outcomes import PAUSED
from rules.live.phase import Phase
from rules.live.places import Places
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING, hold_seconds=60)
def restore_paused(restore: LiveRestore) -> Iterator[Found]:
    if not restore.waits_for_a_person:
        return
    last = restore.last
    if last is None or last.summary.outcome != PAUSED:
        yield Found(tr("recovery is paused"), at_target=False, target_type=None)
        return
    at_target = bool(last.summary.reached_target)
    cause, remedy = _explain(last.attempt, restore.places)
    yield Found(
        tr("the restore is paused at its target: {cause}", cause=cause) if at_target else cause,
        remedy=remedy,
        cause=cause,
        at_target=at_target,
        target_type=last.summary.target.type if at_target else None,
    )


def _explain(attempt: Attempt, places: Places) -> tuple[str, str]:
    """Why it waits, and what to type."""
    if attempt.phase is Phase.PAUSED_AT_TARGET and attempt.is_down:
        return (
            tr(
                "the server was stopped while it waited at its target: started "
                "again, it comes to the same stop"
            ),
            "pg_ctl start",
        )
    if attempt.phase is Phase.PAUSED_AT_TARGET:
        return (
            tr(
                "recovery waits at its target for a person to look. Resuming opens "
                "the server for writing, for good; to go further instead, set a "
                "later target and restart it"
            ),
            RESUME,
        )
    if attempt.low_setting is not None:
        return (
            tr(
                "recovery paused: {low_setting}; resuming shuts down",
                low_setting=describe_low_setting(attempt.low_setting),
            ),
            raise_setting(attempt.low_setting, places.settings),
        )
    if Event.PARAMS_SHORT in attempt.seen:
        return (
            tr("recovery paused: a setting is lower than on the primary; resuming shuts down"),
            tr("raise the setting in {settings} and restart the server", settings=places.settings),
        )
    return tr("recovery was paused before its target"), RESUME
