"""The server does not archive its WAL.

Why it matters
    With archive_mode off nothing after the last base backup can be restored from the archive.
How to look
    SHOW archive_mode on the server, and SELECT * FROM pg_stat_replication for a pg_receivewal
    that may archive instead.
What to do
    Set archive_mode = on and archive_command (or archive_library), and restart the server. If an
    archiver outside the server streams the WAL (pg_receivewal), this is expected.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.facts import BackupsFacts, PositionFacts, SettingsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING, hold_seconds=60)
def archiving_off(
    settings: SettingsFacts, positions: PositionFacts | None, backups: BackupsFacts | None
) -> Iterator[Found]:
    if settings.value("archive_mode") != "off" or _is_prepared(settings, backups):
        return
    if settings.of_backup is not None or (positions and not positions.in_recovery):
        yield Found(
            tr("archive_mode is off"),
            archive_mode="off",
            read_from=settings.read_from("archive_mode"),
        )


def _is_prepared(settings: SettingsFacts, backups: BackupsFacts | None) -> bool:
    """A directory made ready for its restore, which must not archive into its own archive."""
    return any(
        backup.url == settings.of_backup and backup.signal_files
        for backup in (backups.backups if backups is not None else ())
    )
