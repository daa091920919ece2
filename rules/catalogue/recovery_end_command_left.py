"""recovery_end_command is in the configuration of a backup.

Why it matters
    A restored server runs it when recovery ends, with recovery.signal as well. It is written for a
    standby that takes over: it may move an address, tell a cluster manager, or delete files.
How to look
    grep recovery_end_command in postgresql.conf and postgresql.auto.conf, and in what they include.
What to do
    Set recovery_end_command = '' for the restored server before it is started, as the settings that
    the verdict gives do.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.facts import SettingsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING)
def recovery_end_command_left(settings: SettingsFacts) -> Iterator[Found]:
    command = settings.value("recovery_end_command")
    if settings.of_backup is not None and command:
        yield Found(
            tr("recovery_end_command is set: a restore of this backup runs it when recovery ends"),
            recovery_end_command=command,
            read_from=settings.read_from("recovery_end_command"),
        )
