"""A restore goes on and has not got any further for longer than the recovery point objective.

Why it matters
    A restore_command that hangs (a mount that is gone, a password prompt, a remote shell without a
    timeout) is neither success nor failure: the server waits for it for ever and logs nothing.
How to look
    pitr-watch --pgdata DIRECTORY shows the segment and whether it is fetched or applied. ps
    shows the startup process and the restore_command below it.
What to do
    Look at what the startup process does (ps: "startup recovering …" or "waiting for …") and at its
    child, the restore_command. End the child with kill -TERM only if the restore may fail; then
    run the command by hand, %f and %p filled in.
"""

from collections.abc import Iterator
from datetime import datetime

from rules.check import Found, check
from rules.facts import Objectives
from rules.findings import Severity
from rules.restore_facts import RestoreFacts


@check(severity=Severity.WARNING)
def restore_stalled(
    restore: RestoreFacts, objectives: Objectives, now: datetime
) -> Iterator[Found]:
    if not restore.in_progress or restore.paused or restore.standby or restore.moved_at is None:
        return
    silent_seconds = (now - restore.moved_at).total_seconds()
    if silent_seconds > objectives.rpo_seconds:
        yield Found(
            f"the restore has not got on for {silent_seconds:.0f} s; the objective is "
            f"{objectives.rpo_seconds:.0f} s",
            silent_seconds=round(silent_seconds, 1),
            moved_at=restore.moved_at.isoformat(),
        )
