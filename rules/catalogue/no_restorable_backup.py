"""No base backup can be restored with the WAL that the archive holds.

Why it matters
    There is nothing to restore from. Everything else that is archived is of no use without a base
    backup that becomes consistent.
How to look
    pitr-check --archive ARCHIVE --backups BACKUPS tells of every backup why it is of no use.
What to do
    Take a base backup now (pg_basebackup --pgdata DIR --checkpoint fast), wait until its last
    segment is archived, and let pitr-check say what it reaches.
"""

from collections.abc import Iterator
from typing import Final

from parsers.sentences import tr
from rules.model.evidence import WindowsFacts
from rules.model.facts import BackupsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check

_NONE: Final = {0: tr("there is no base backup"), 1: tr("the only base backup cannot be restored")}


@check(severity=Severity.CRITICAL, hold_seconds=60)
def no_restorable_backup(backups: BackupsFacts, windows: WindowsFacts) -> Iterator[Found]:
    if backups.unreadable or None in windows.by_backup.values() or windows.windows:
        return
    found = len(backups.backups)
    none = _NONE.get(found) or tr("none of {count} base backups can be restored", count=found)
    yield Found(none, backups=found)
