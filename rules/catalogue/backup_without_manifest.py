"""A base backup has no manifest, so its files were not checked.

Why it matters
    Files that are missing from the copy would be found only by restoring it.
How to look
    ls backup_manifest in the backup, and the script that took it: --no-manifest, or
    pg_backup_start() with a copy of its own.
What to do
    Let pg_basebackup write one (do not give --no-manifest). For backups made by other means, which
    have none, say so with --backup-depth label and prove them by restoring.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.facts import BackupsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING)
def backup_without_manifest(backups: BackupsFacts) -> Iterator[Found]:
    for backup in backups.backups:
        if backup.manifest_error == "" and backups.depth != "label":
            yield Found(tr("{url} has no backup_manifest", url=backup.url), backup=backup.url)
