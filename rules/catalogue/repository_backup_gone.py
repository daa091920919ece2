"""A backup that the tool lists is not there.

Why it matters
    The tool counts it: for its retention, as the base of increments, and as the newest to restore
    from, where the restore then fails.
How to look
    The tool's list beside the folder: pgbackrest info, barman list-backups, wal-g backup-list.
What to do
    Bring the folder back from another copy of the repository. If there is none, have the tool
    forget the backup, and take a full one now.
"""

from collections.abc import Iterator
from typing import Final

from parsers.sentences import tr
from rules.model.findings import Severity
from rules.model.repository import RepositoriesRead
from rules.verdict.check import Found, check

_FORGET: Final = {
    "pgBackRest": "pgbackrest --stanza={name} --repo={number} --set={label} expire",
    "Barman": "barman delete {name} {label}",
    "barman-cloud": "barman-cloud-backup-delete --backup-id {label} {url} {name}",
    "WAL-G": "wal-g delete target {label} --confirm",
}


@check(severity=Severity.CRITICAL)
def repository_backup_gone(tools: RepositoriesRead) -> Iterator[Found]:
    for each in tools.repositories:
        for label, what in sorted(each.gone.items()):
            forget = _FORGET[each.tool].format(
                name=each.name, number=each.number, label=label, url=each.url
            )
            yield Found(
                tr(
                    "{tool} lists the backup {label}, and {what} is not there",
                    tool=each.tool,
                    label=label,
                    what=what,
                ),
                remedy=tr(
                    "Bring {what} back from another copy of the repository; else have "
                    "the tool forget it ({forget}) and take a full backup now.",
                    what=what,
                    forget=forget,
                ),
                backup=label,
                url=what,
            )
