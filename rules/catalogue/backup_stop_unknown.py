"""Nothing tells where a base backup ended.

Why it matters
    Which WAL it needs to become consistent cannot be known without reading the records.
How to look
    Look for backup_manifest in the backup and for SEGMENT.OFFSET.backup in the archive: either
    names where it stopped.
What to do
    Keep backup_manifest with the backup (pg_basebackup writes it unless --no-manifest is given),
    and the archive's NNN.backup files: they tell where each backup stopped.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.facts import BackupsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.UNKNOWN)
def backup_stop_unknown(backups: BackupsFacts) -> Iterator[Found]:
    for backup in backups.backups:
        if backup.stop_lsn is None and backup.unlabelled is None:
            yield Found(
                tr(
                    "{url}: neither a manifest nor a .backup file says where it stopped",
                    url=backup.url,
                ),
                backup=backup.url,
            )
