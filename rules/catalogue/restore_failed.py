"""The last restore failed.

Why it matters
    The server is not open: recovery ended in a FATAL, or its process died. What the restore was
    for has not happened.
How to look
    pitr-watch --log LOG --once names the FATAL line, its cause and the next command.
What to do
    Read the cause, correct it, and start the server again: recovery begins anew from the backup.
    pitr-watch --log FILE --once tells the whole story; pitr-check says beforehand whether the next
    attempt will reach its target.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.findings import Severity
from rules.restore_facts import RestoreFacts
from rules.restore_summary import FAILED


@check(severity=Severity.CRITICAL)
def restore_failed(restore: RestoreFacts) -> Iterator[Found]:
    last = restore.last
    if last is None or last.summary.outcome != FAILED or restore.in_progress:
        return
    summary = last.summary
    yield Found(
        f"the restore failed: {summary.cause or summary.fatal_message}",
        remedy=summary.next_command,
        fatal_message=summary.fatal_message,
        target_type=summary.target.type,
        failed_at=last.at.isoformat() if last.at else None,
    )
