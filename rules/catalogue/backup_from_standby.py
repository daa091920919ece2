"""A base backup was taken on a standby.

Why it matters
    It becomes consistent at the minimum recovery point of the pg_control that it holds, not at a
    record of its own end: pg_control must have been copied last. Its last WAL is archived when the
    primary next completes a segment, and the standby archives nothing unless archive_mode = always.
What to do
    Nothing, if pg_basebackup took it. After a copy by hand make sure that global/pg_control was the
    last file to be copied, and that the segment of its stop is in the archive.
"""

from collections.abc import Iterator

from parsers.lsn import format_lsn
from parsers.sentences import tr
from rules.model.facts import BackupsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.INFO)
def backup_from_standby(backups: BackupsFacts) -> Iterator[Found]:
    for backup in backups.backups:
        if backup.label.source == "standby" and backup.unlabelled is None:
            minimum = format_lsn(backup.control.min_recovery_lsn) if backup.control else None
            yield Found(
                tr(
                    "{url} was taken on a standby: it is consistent at its minimum recovery point"
                    " {minimum}",
                    url=backup.url,
                    minimum=minimum or tr("(not known)"),
                ),
                backup=backup.url,
                min_recovery_lsn=minimum,
            )
