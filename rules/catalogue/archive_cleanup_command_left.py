"""archive_cleanup_command is in the configuration of a backup.

Why it matters
    A restored server runs it at every restartpoint, with recovery.signal as well. It is written for
    a standby's own archive: run on the archive of the backups it deletes the WAL that older backups
    and earlier targets need.
How to look
    grep archive_cleanup_command in postgresql.conf and postgresql.auto.conf, and in what they
    include.
What to do
    Set archive_cleanup_command = '' for the restored server before it is started, as the settings
    that the verdict gives do.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.facts import SettingsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING)
def archive_cleanup_command_left(settings: SettingsFacts) -> Iterator[Found]:
    command = settings.value("archive_cleanup_command")
    if settings.of_backup is not None and command:
        yield Found(
            tr(
                "archive_cleanup_command is set: a restore of this backup runs it at every"
                " restartpoint, and it may delete from the archive"
            ),
            archive_cleanup_command=command,
            read_from=settings.read_from("archive_cleanup_command"),
        )
