"""Files that a backup's manifest names are absent or have another size.

Why it matters
    The restored cluster would miss data, or stop in the middle of recovery.
What to do
    Copy the backup again from where it is whole, and run pg_verifybackup on it.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.facts import BackupsFacts
from rules.findings import Severity


@check(severity=Severity.CRITICAL)
def backup_files_missing(backups: BackupsFacts) -> Iterator[Found]:
    for backup in backups.backups:
        if backup.missing_files:
            yield Found(
                f"{backup.url}: {len(backup.missing_files)} file(s) of its manifest are absent or "
                f"have another size, the first {backup.missing_files[0]}",
                backup=backup.url,
                first=backup.missing_files[0],
                files=len(backup.missing_files),
            )
