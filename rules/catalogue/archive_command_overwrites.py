"""archive_command replaces a file that is already in the archive.

Why it matters
    Two servers that archive into one place by mistake, or a timeline number taken twice, destroy
    what was stored before, and nobody notices. The manual asks that the command refuse.
What to do
    Ask first: test ! -f /archive/%f && cp %p /archive/%f. From PostgreSQL 15 on the module
    basic_archive does the same, and writes each file whole.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.facts import SettingsFacts
from rules.findings import Severity
from rules.shell_commands import judge_archive_command


@check(severity=Severity.INFO, hold_seconds=60)
def archive_command_overwrites(settings: SettingsFacts) -> Iterator[Found]:
    command = settings.value("archive_command") or ""
    how = judge_archive_command(command).overwrites
    if how:
        yield Found(
            f"archive_command overwrites what is archived: {how}, with nothing that asks first",
            archive_command=command,
            read_from=settings.read_from("archive_command"),
        )
