"""A folder of a backup has lain there for an hour, and the tool does not list it.

Why it matters
    The tool neither restores it nor deletes it: a backup that broke off, or one whose entry was
    lost. It takes the room of a backup and is none.
How to look
    ps, whether a backup is still running; the tool's list of backups.
What to do
    Wait while one runs. Else the tool's own way to take it up or to clear it away, which the
    finding names.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from parsers.sentences import tr
from rules.model.findings import Severity
from rules.model.repository import RepositoriesRead
from rules.verdict.check import Found, check

_QUIET: Final = timedelta(hours=1)
_CLEAR: Final = {
    "pgBackRest": tr("the next pgbackrest --stanza={name} backup takes it up or removes it"),
    "Barman": tr("barman check {name} says what is wrong with it"),
    "barman-cloud": "barman-cloud-backup-list {url} {name}",
    "WAL-G": "wal-g delete garbage --confirm",
}


@check(severity=Severity.INFO)
def repository_backup_unlisted(tools: RepositoriesRead, now: datetime) -> Iterator[Found]:
    for each in tools.repositories:
        for label, changed_at in sorted(each.unlisted.items()):
            if now - changed_at < _QUIET:
                continue
            yield Found(
                tr(
                    "the folder of {label} is there, and {tool} does not list it; its "
                    "last change was at {changed_at:%Y-%m-%d %H:%M} UTC",
                    label=label,
                    tool=each.tool,
                    changed_at=changed_at,
                ),
                remedy=tr(
                    "If no backup is running: {what}.",
                    what=tr(_CLEAR[each.tool], name=each.name, url=each.url),
                ),
                backup=label,
                changed_at=changed_at.isoformat(),
            )
