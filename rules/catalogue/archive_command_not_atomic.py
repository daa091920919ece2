"""archive_command writes the archived file in place, under its final name.

Why it matters
    A crash or a full disk in the middle leaves half a segment that looks archived. A restore that
    meets it ends there; a command that refuses to overwrite then never replaces it.
What to do
    Write under another name and rename: cp %p /archive/%f.tmp && mv /archive/%f.tmp /archive/%f
    (rsync does it by itself). To have it survive a power failure, sync the file as well.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.backup.shell_commands import judge_archive_command
from rules.model.facts import SettingsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.INFO, hold_seconds=60)
def archive_command_not_atomic(settings: SettingsFacts) -> Iterator[Found]:
    command = settings.value("archive_command") or ""
    how = judge_archive_command(command).not_atomic
    if how:
        yield Found(
            tr("archive_command can leave half a file: {how}", how=how),
            archive_command=command,
            read_from=settings.read_from("archive_command"),
        )
