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

from parsers.sentences import trn
from rules.model.facts import BackupsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL, hold_seconds=300)
def backup_files_bad(backups: BackupsFacts) -> Iterator[Found]:
    for backup in backups.backups:
        if backup.bad_files:
            yield Found(
                trn(
                    "{url}: {n} file absent or damaged, the first {first}",
                    "{url}: {n} files absent or damaged, the first {first}",
                    len(backup.bad_files),
                    url=backup.url,
                    first=backup.bad_files[0],
                ),
                backup=backup.url,
                first=backup.bad_files[0],
                files=len(backup.bad_files),
            )
