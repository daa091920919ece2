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

from rules.check import Found, check
from rules.findings import Severity
from rules.restore_facts import RestoreFacts
from rules.restore_summary import PAUSED


@check(severity=Severity.WARNING, hold_seconds=60)
def restore_paused(restore: RestoreFacts) -> Iterator[Found]:
    if not restore.waits_for_a_person:
        return
    summary = restore.last.summary if restore.last else None
    at_target = summary is not None and summary.outcome == PAUSED and summary.reached_target
    yield Found(
        "the restore is paused at its target" if at_target else "recovery is paused",
        at_target=bool(at_target),
        target_type=summary.target.type if summary and at_target else None,
    )
