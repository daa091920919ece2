"""Full-page writes were off while a base backup was taken on a standby.

Why it matters
    The copy may hold pages that were torn while they were read, and nothing in the WAL replaces
    them. pg_backup_stop() refuses such a backup; a copy that was kept all the same is not one.
How to look
    SHOW full_page_writes on the primary, and pg_waldump -r XLOG over the backup's segments:
    FPW_CHANGE records show when it was switched.
What to do
    Set full_page_writes = on on the primary, and take the backup again.
"""

from collections.abc import Iterator

from parsers.lsn import format_lsn
from parsers.sentences import tr
from rules.model.evidence import WalEventsFacts
from rules.model.facts import BackupsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL)
def backup_full_pages_off(backups: BackupsFacts, events: WalEventsFacts) -> Iterator[Found]:
    for backup in backups.backups:
        label, control = backup.label, backup.control
        stop = backup.stop_lsn or (control.min_recovery_lsn if control else None)
        if label.source != "standby" or not stop:
            continue
        inside = [lsn for _, lsn in events.full_pages_off if label.start_lsn <= lsn < stop]
        if inside:
            yield Found(
                tr(
                    "{url}: full_page_writes was off at {lsn}, while it was taken",
                    url=backup.url,
                    lsn=format_lsn(inside[0]),
                ),
                backup=backup.url,
                lsn=format_lsn(inside[0]),
            )
