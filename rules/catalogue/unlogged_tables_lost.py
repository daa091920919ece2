"""The backup has unlogged tables: a restore empties them.

Why it matters
    What is written to an unlogged relation is in no WAL and in no base backup. After a restore the
    tables are there and have no rows; unlogged sequences start anew.
What to do
    Dump what must be kept (pg_dump -t), or ALTER TABLE … SET LOGGED. To list them:
    SELECT oid::regclass FROM pg_class WHERE relpersistence = 'u'
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.facts import BackupsFacts
from rules.findings import Severity


@check(severity=Severity.INFO)
def unlogged_tables_lost(backups: BackupsFacts) -> Iterator[Found]:
    for backup in backups.backups[-1:]:
        if backup.unlogged_count:
            yield Found(
                f"{backup.url}: {backup.unlogged_count} unlogged relation(s), indexes counted, will"
                " be empty after a restore",
                backup=backup.url,
                relations=backup.unlogged_count,
            )
