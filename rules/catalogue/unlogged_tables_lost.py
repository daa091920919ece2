"""The backup has unlogged tables: a restore empties them.

Why it matters
    What is written to an unlogged relation is in no WAL and in no base backup. After a restore the
    tables exist but are empty; unlogged sequences restart.
What to do
    Dump what must be kept (pg_dump -t), or ALTER TABLE … SET LOGGED. To list them:
    SELECT oid::regclass, pg_relation_filepath(oid) FROM pg_class WHERE relpersistence = 'u'
"""

from collections.abc import Iterator
from typing import Final

from parsers.sentences import tr
from rules.model.counted import counted
from rules.model.facts import BackupsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check

_SHOWN: Final = 10


@check(severity=Severity.INFO)
def unlogged_tables_lost(backups: BackupsFacts) -> Iterator[Found]:
    for backup in backups.backups[-1:]:
        if backup.unlogged:
            named = ", ".join(backup.unlogged[:_SHOWN])
            more = len(backup.unlogged) - _SHOWN
            yield Found(
                tr(
                    "{url}: {relations}, including indexes, will be empty after a restore:"
                    " {named}{more}",
                    url=backup.url,
                    relations=counted(len(backup.unlogged), "unlogged relation"),
                    named=named,
                    more=tr(" and {count} more", count=more) if more > 0 else "",
                ),
                backup=backup.url,
                relations=len(backup.unlogged),
                files=named,
            )
