"""Files of a backup are absent, or not as its manifest says.

Why it matters
    The restored cluster would miss data, or stop in the middle of recovery.
How to look
    The finding names files. pg_verifybackup DIRECTORY lists all of them; ls -l tells sizes and
    dates, and the log of the copy or of the file system what happened to them.
What to do
    Copy the backup again from where it is whole, and run pg_verifybackup on it.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.facts import BackupsFacts
from rules.findings import Severity


@check(severity=Severity.CRITICAL)
def backup_files_bad(backups: BackupsFacts) -> Iterator[Found]:
    for backup in backups.backups:
        if backup.bad_files:
            yield Found(
                f"{backup.url}: {len(backup.bad_files)} file(s) are not as the manifest "
                f"says, the first {backup.bad_files[0]}",
                backup=backup.url,
                first=backup.bad_files[0],
                files=len(backup.bad_files),
            )
