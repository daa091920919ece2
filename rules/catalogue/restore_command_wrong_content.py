"""restore_command returns the wrong content: it copies, packs or unpacks the wrong way.

Why it matters
    PostgreSQL compares the size of what it gets with the segment size, and dies of any other
    ("archive file … has wrong size"), at the first segment of the restore.
How to look
    Run the command by hand for one segment and look at the size of what it brought: it must be
    wal_segment_size to the byte.
What to do
    Unpack to standard output and redirect it, for instance: gzip -dc /archive/%f.gz > %p. Try it
    with pitr-check --try-restore-command.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.backup.shell_commands import judge_restore_command
from rules.model.facts import SettingsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING, hold_seconds=60)
def restore_command_wrong_content(settings: SettingsFacts) -> Iterator[Found]:
    command = settings.value("restore_command") or ""
    how = judge_restore_command(command).wrong_content
    if how:
        yield Found(
            tr("restore_command returns no plain segment: {how}", how=how),
            restore_command=command,
            read_from=settings.read_from("restore_command"),
        )
