"""archive_command can exit with a status above 125.

Why it matters
    The archiver takes such a status for an order to stop: it ends, is started again, and counts no
    failure. pg_stat_archiver looks healthy while nothing is stored. ssh and scp exit 255 whenever
    the other host does not answer.
How to look
    SHOW archive_command on the server, and run it by hand as the server's account on a file
    that cannot be stored (an unreachable host, a missing directory): echo $? shows the status.
    ssh gives 255 when it cannot connect.
What to do
    Turn it into an ordinary failure, which is retried and counted: append  || exit 1
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.backup.shell_commands import judge_archive_command
from rules.model.facts import SettingsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING, hold_seconds=60)
def archive_command_aborts(settings: SettingsFacts) -> Iterator[Found]:
    command = settings.value("archive_command") or ""
    how = judge_archive_command(command).aborts
    if how:
        yield Found(
            tr("archive_command can exit above 125: {how}", how=how),
            archive_command=command,
            read_from=settings.read_from("archive_command"),
            remedy=tr(
                "Let it fail so that it is counted: archive_command = '{command} || exit 1'",
                command=command,
            ),
        )
