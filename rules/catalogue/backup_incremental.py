"""An incremental backup was named; alone it cannot be restored.

Why it matters
    PostgreSQL refuses it ("this is an incremental backup, not a data directory").
What to do
    Combine it with the backups before it (pg_combinebackup FULL INCREMENT… -o DIR), and check the
    result.
"""

from collections.abc import Iterator

from parsers.lsn import format_lsn
from rules.check import Found, check
from rules.facts import BackupsFacts
from rules.findings import Severity


@check(severity=Severity.CRITICAL)
def backup_incremental(backups: BackupsFacts) -> Iterator[Found]:
    for backup in backups.backups:
        if backup.label.incremental_from_lsn is not None:
            before = format_lsn(backup.label.incremental_from_lsn)
            yield Found(
                f"{backup.url} is incremental, from the backup that started at {before}",
                backup=backup.url,
                from_lsn=before,
            )
