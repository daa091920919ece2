"""An incremental backup was named without the backups that it builds on.

Why it matters
    It holds only the blocks that changed since the backup before it. Without every one of these,
    back to the full backup, nothing can be restored from it.
How to look
    backup_label names the predecessor: INCREMENTAL FROM LSN and INCREMENTAL FROM TLI. Look for
    the backup whose START WAL LOCATION is that, and run pitr-check --backups on the directory
    that holds them all.
What to do
    Name the whole chain (--backups with the directory that holds it). If a member is lost, take a
    full backup now.
"""

from collections.abc import Iterator

from parsers.lsn import format_lsn
from parsers.sentences import tr
from rules.backup.completeness import chain_of
from rules.model.facts import BackupsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL)
def backup_chain_missing(backups: BackupsFacts) -> Iterator[Found]:
    for backup in backups.backups:
        before = backup.label.incremental_from_lsn
        if before is not None and chain_of(backup, backups.backups) is None:
            yield Found(
                tr(
                    "{url} is incremental, from the backup that started at {lsn}, and its chain is"
                    " not all there",
                    url=backup.url,
                    lsn=format_lsn(before),
                ),
                backup=backup.url,
                from_lsn=format_lsn(before),
            )
