"""archive_command replaces a file that is already in the archive.

Why it matters
    Two servers that archive into one place by mistake, or a timeline number taken twice, destroy
    what was stored before, unnoticed. The manual says that the command must refuse.
What to do
    Test first: test ! -f /archive/%f && cp %p /archive/%f. From PostgreSQL 15 on the module
    basic_archive does the same, and writes each file whole.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.backup.shell_commands import judge_archive_command
from rules.model.facts import SettingsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.INFO, hold_seconds=60)
def archive_command_overwrites(settings: SettingsFacts) -> Iterator[Found]:
    command = settings.value("archive_command") or ""
    how = judge_archive_command(command).overwrites
    if how:
        yield Found(
            tr(
                "archive_command overwrites archived files: {how}, without testing for them first",
                how=how,
            ),
            archive_command=command,
            read_from=settings.read_from("archive_command"),
        )
