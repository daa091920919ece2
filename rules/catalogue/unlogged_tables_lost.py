"""The backup has unlogged tables: a restore empties them.

Why it matters
    What is written to an unlogged relation is in no WAL and in no base backup. After a restore the
    tables exist but are empty; unlogged sequences restart.
What to do
    Dump what must be kept (pg_dump -t), or ALTER TABLE … SET LOGGED. To list them:
    SELECT oid::regclass FROM pg_class WHERE relpersistence = 'u'
"""

from collections.abc import Iterator

from rules.model.counted import counted
from rules.model.facts import BackupsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.INFO)
def unlogged_tables_lost(backups: BackupsFacts) -> Iterator[Found]:
    for backup in backups.backups[-1:]:
        if backup.unlogged_count:
            yield Found(
                f"{backup.url}: {counted(backup.unlogged_count, 'unlogged relation')}, including"
                " indexes, will be empty after a restore",
                backup=backup.url,
                relations=backup.unlogged_count,
            )
