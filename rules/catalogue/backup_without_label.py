"""A base backup has lost its backup_label.

Why it matters
    The server takes such a copy for itself after a crash: it begins at pg_control's checkpoint,
    replays what it finds and opens, and says nothing. Unless every file was copied at the same
    moment, as an atomic snapshot does, the database is corrupt.
How to look
    ls backup_label* in the backup: backup_label.old means that a server was started in it.
    pg_controldata tells its state and checkpoint.
What to do
    Restore backup_label from another copy of this backup, or from the output of pg_backup_stop().
    backup_label.old means that a server was started from this copy: it is a backup no more. Take
    a new base backup.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.facts import BackupsFacts
from rules.model.findings import Severity
from rules.recovery.unlabelled import doubt
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL)
def backup_without_label(backups: BackupsFacts) -> Iterator[Found]:
    for backup in backups.backups:
        why = doubt(backup.unlabelled) if backup.unlabelled else None
        if why:
            yield Found(
                tr("{url} has no backup_label: {why}", url=backup.url, why=why), backup=backup.url
            )
