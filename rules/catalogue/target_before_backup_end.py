"""The recovery target lies before the end of the base backup.

Why it matters
    A backup is only consistent where it ended: PostgreSQL refuses a target before it ("requested
    recovery stop point is before consistent recovery point"), or, where nothing was committed
    while the backup ran, opens with a state that is newer than the one asked for.
What to do
    Restore from a backup that ended before the target: name it with --backup, or the directory
    that holds them all with --backups, and ask again.
"""

from collections.abc import Iterator

from parsers.lsn import format_lsn
from rules.model.findings import Severity
from rules.model.outcome import Cause
from rules.model.target import TargetFacts
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL, asked=True)
def target_before_backup_end(target: TargetFacts) -> Iterator[Found]:
    if target.cause is Cause.BEFORE_BACKUP_END:
        stop = target.backup.stop_lsn if target.backup else None
        yield Found(
            target.reason,
            outcome=target.outcome,
            timeline=target.timeline,
            backup=target.backup.url if target.backup else None,
            backup_stop_lsn=format_lsn(stop) if stop is not None else None,
        )
