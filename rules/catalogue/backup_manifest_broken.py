"""A base backup's manifest cannot be used, so its files were not checked.

Why it matters
    A manifest that fails its own checksum was damaged or edited, and the backup may have been too.
How to look
    Open backup_manifest: it is JSON, and its last line is the SHA-256 of all before it.
    pg_verifybackup says the same in its words.
What to do
    Compare with another copy of the backup; without one, restore it once to prove it, and take a
    new backup.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.facts import BackupsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.UNKNOWN)
def backup_manifest_broken(backups: BackupsFacts) -> Iterator[Found]:
    for backup in backups.backups:
        if backup.manifest_error and backups.depth != "label":
            yield Found(
                tr(
                    "{url}/backup_manifest: {error}",
                    url=backup.url,
                    error=backup.manifest_error,
                ),
                backup=backup.url,
            )
