"""archive_command reports success even when it fails.

Why it matters
    The server takes status 0 for "stored", marks the segment as done and recycles it. A full disk
    or a lost mount then costs WAL without a single error in any counter.
How to look
    SHOW archive_command: look for "|| true", "; exit 0", a pipe whose last command succeeds, or
    a script that ends in echo. Run it for a directory that does not exist and look at echo $?.
What to do
    Remove what hides the failure (the finding quotes it) and let the command end in the status
    of the copy, for instance: test ! -f /archive/%f && cp %p /archive/%f
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.backup.shell_commands import judge_archive_command
from rules.model.facts import SettingsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING, hold_seconds=60)
def archive_command_swallows_errors(settings: SettingsFacts) -> Iterator[Found]:
    command = settings.value("archive_command") or ""
    how = judge_archive_command(command).swallows
    if how:
        yield Found(
            tr("archive_command reports success when it fails: {how}", how=how),
            archive_command=command,
            read_from=settings.read_from("archive_command"),
        )
