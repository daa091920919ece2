"""The last restore opened the database short of what was asked for, or of what the archive holds.

Why it matters
    PostgreSQL takes a missing segment for the end of WAL and promotes without a word. The server
    runs and looks well, and the transactions behind the gap are not in it.
How to look
    pitr-watch --log LOG --once tells where recovery ended and what the archive holds behind it.
What to do
    Do not let applications write to it yet. Find the segment that was missing (pg_wal of the
    primary and its standbys, other copies of the archive) and restore again, with a
    recovery_target_* so that PostgreSQL refuses to open short of it.
"""

from collections.abc import Iterator

from parsers.lsn import format_lsn
from rules.check import Found, check
from rules.findings import Severity
from rules.restore_facts import RestoreFacts, fell_short


@check(severity=Severity.CRITICAL)
def restore_ended_short(restore: RestoreFacts) -> Iterator[Found]:
    last = restore.last
    if last is None or not fell_short(last):
        return
    summary = last.summary
    yield Found(
        "the restore ended short: "
        + (summary.cause or f"{summary.outcome} without having reached its target"),
        remedy=summary.next_command,
        outcome=summary.outcome,
        redo_done_lsn=None if summary.redo_done_lsn is None else format_lsn(summary.redo_done_lsn),
        ended_at=last.at.isoformat() if last.at else None,
    )
