"""The configuration of a base backup was not read, or not wholly.

Why it matters
    A restored server starts with it: hot_standby, max_connections, the time zone of a target, and
    commands that recovery runs. What was not read is not known to be as the verdict supposes.
How to look
    The finding names the file and says why: the depth of the check, a file that is absent, a line
    that PostgreSQL refuses, or a file outside of the backup, which only the target machine has.
What to do
    Check with --backup-depth files (in the agent's configuration, backups: depth: files). Put back
    the file that is absent, or correct the line that is refused, before the restored server is
    started.
"""

from collections import defaultdict
from collections.abc import Iterator

from parsers.sentences import tr, trn
from rules.model.facts import BackupsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, Note, check


@check(severity=Severity.UNKNOWN)
def backup_settings_unread(backups: BackupsFacts) -> Iterator[Found]:
    where = defaultdict[tuple[str, str, bool], list[str]](list)
    for backup in backups.backups:
        for unread in backup.unread_settings:
            where[unread].append(backup.url)
    for (file, reason, outside), urls in where.items():
        more = ""
        if len(urls) > 1:
            more = trn(" and {n} more backup", " and {n} more backups", len(urls) - 1)
        yield (Note if outside else Found)(
            tr(
                "{url}{more}: the settings in {file} are not known: {reason}",
                url=urls[-1],
                more=more,
                file=file,
                reason=reason,
            ),
            backup=urls[-1],
            file=file,
            backups=len(urls),
        )
