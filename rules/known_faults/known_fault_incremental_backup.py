"""An incremental backup was made by a server whose incremental backups cannot be trusted.

Why it matters
    Up to the minor releases of 2026-11-12, servers of 17 and 18 could leave changed blocks out of
    WAL summaries, and so out of incremental backups. The release notes of 18.7 say that existing
    incremental backup files should not be trusted. A restore of the chain can bring deleted or old
    versions of rows back, without any message; pg_verifybackup and pg_combinebackup see nothing.
    Full backups are not affected, unless pg_combinebackup made them of incremental ones: those look
    like any other, and nothing here can tell them.
How to look
    backup_label has START TIME and INCREMENTAL FROM LSN. No file of a backup names the minor
    release that made it: compare the time with the server's log, where each start writes
    "starting PostgreSQL 18.x", or with the package manager's.
What to do
    Update the server (18.7, 17.12, or later), remove pg_wal/summaries/* while it is stopped, and
    take a new full backup with it; build new incremental backups on that one. Until then restore
    from the full backup and the archive.
"""

from collections.abc import Iterator
from datetime import date
from typing import Final

from parsers.sentences import tr
from rules.model.facts import BackupsFacts
from rules.model.findings import Severity
from rules.model.releases import ReleasesFacts
from rules.verdict.check import Found, check
from rules.verdict.fault import KnownFault

FAULT: Final = KnownFault(
    mended={17: 12, 18: 7},
    mended_on=date(2026, 11, 12),
    notes="18.7, Migration: existing incremental backup files should not be trusted",
)


@check(severity=Severity.WARNING)
def known_fault_incremental_backup(
    backups: BackupsFacts, releases: ReleasesFacts | None
) -> Iterator[Found]:
    for backup in backups.backups:
        if backup.label.incremental_from_lsn is not None:
            yield from FAULT.of_backup(
                backup,
                releases,
                tr("{url} is incremental", url=backup.url),
                tr(
                    "incremental backups of PostgreSQL {major} should not be trusted",
                    major=backup.major,
                ),
                tr("Update the server, then take a new full backup."),
            )
