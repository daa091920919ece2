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
    Update the server (18.7, or the 17.x of 2026-11-12, or later), remove pg_wal/summaries/* while
    it is stopped, and take a new full backup with it; build new incremental backups on that one.
    Until then restore from the full backup and the archive.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from rules.model.facts import BackupFacts, BackupsFacts, PositionFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, Note, check

_MAJORS: Final = (17, 18)
_MENDED_ON: Final = datetime(2026, 11, 12, tzinfo=UTC)
_MENDED: Final = {18: 180007}  # major -> server_version_num; of 17 the date alone is known
_NEW_FULL_BACKUP: Final = "Update the server, then take a new full backup."


@check(severity=Severity.WARNING)
def known_fault_incremental_backup(
    backups: BackupsFacts, position: PositionFacts | None
) -> Iterator[Found]:
    for backup in backups.backups:
        if backup.label.incremental_from_lsn is None or backup.major not in _MAJORS:
            continue
        made_at = backup.finished_at or backup.started_at
        evidence: dict[str, str | None] = {
            "backup": backup.url,
            "made_at": made_at.isoformat() if made_at else None,
        }
        if made_at is not None and made_at < _MENDED_ON:
            yield Found(
                f"{backup.url} is incremental and was made before 2026-11-12: incremental backups"
                f" that PostgreSQL {backup.major} made until then should not be trusted",
                **evidence,
            )
            continue
        version, mended = _version(backup, position), _MENDED.get(backup.major)
        if version is not None and mended is not None and version < mended:
            yield Found(
                f"{backup.url} is incremental and was made by PostgreSQL {_release(version)} or"
                f" older: before {_release(mended)} incremental backups should not be trusted",
                **evidence,
            )
        elif version is None or mended is None or _restarted_since(backup, position):
            yield Note(
                f"{backup.url} is incremental, and the minor release of PostgreSQL {backup.major}"
                " that made it is not known: before that of 2026-11-12 it should not be trusted",
                remedy='Look for "starting PostgreSQL" in the server\'s log before the backup'
                f" began. If it was older: {_NEW_FULL_BACKUP}",
                **evidence,
            )


def _version(backup: BackupFacts, position: PositionFacts | None) -> int | None:
    """Today's server_version_num of the server that made a backup; None where it is not known."""
    if position is None or position.in_recovery or backup.label.source != "primary":
        return None
    return position.server_version_num if position.major == backup.major else None


def _restarted_since(backup: BackupFacts, position: PositionFacts | None) -> bool:
    """Whether the server may have been another release when it made a backup."""
    began, started = backup.started_at, position.started_at if position else None
    return began is None or started is None or began < started


def _release(server_version_num: int) -> str:
    return f"{server_version_num // 10000}.{server_version_num % 10000}"
