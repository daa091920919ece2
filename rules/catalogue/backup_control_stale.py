"""The pg_control of a backup from a standby is older than the backup's end.

Why it matters
    Recovery takes the backup for consistent at the minimum recovery point that pg_control holds.
    One that was copied before the other files lets the server open on pages from the future:
    corrupt data, without any message.
How to look
    Run pg_controldata on the backup and compare its minimum recovery ending location with the
    last End-LSN of WAL-Ranges in backup_manifest.
What to do
    Do not restore it. Take the backup again, and copy global/pg_control after all other files;
    pg_basebackup does so.
"""

from collections.abc import Iterator

from parsers.lsn import format_lsn
from parsers.sentences import tr
from rules.model.facts import BackupsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL)
def backup_control_stale(backups: BackupsFacts) -> Iterator[Found]:
    for backup in backups.backups:
        if backup.label.source != "standby" or not backup.control or backup.stop_lsn is None:
            continue
        minimum = backup.control.min_recovery_lsn
        if 0 < minimum < backup.stop_lsn:
            yield Found(
                tr(
                    "{url}: its pg_control asks for recovery up to {minimum}, and the backup ended"
                    " at {stop_lsn}",
                    url=backup.url,
                    minimum=format_lsn(minimum),
                    stop_lsn=format_lsn(backup.stop_lsn),
                ),
                backup=backup.url,
                min_recovery_lsn=format_lsn(minimum),
                stop_lsn=format_lsn(backup.stop_lsn),
            )
