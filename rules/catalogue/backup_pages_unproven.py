"""Reading a backup's pages proved nothing: neither that they are whole nor that they are damaged.

Why it matters
    Without data checksums, a page that a disk has changed cannot be told from a good one. In a copy
    made by other means than pg_basebackup (cp, rsync, a snapshot of a file system that is not
    atomic), a page that was copied while the server wrote it fails its checksum too, until WAL is
    replayed.
How to look
    The finding says which it is. pg_controldata BACKUP tells "Data page checksum version": 1 is on.
What to do
    Data checksums off: turn them on while the server is down (pg_checksums --enable), then take a
    base backup; or say --backup-depth checksums, which asks for no proof of pages. Pages named:
    restore the backup and read them (pitr-check --drill runs pg_checksums), and take backups with
    pg_basebackup, which reads a page twice before it calls it damaged.
"""

from collections.abc import Iterator

from parsers.sentences import tr, trn
from rules.backup.pages import named_forks, page_total, unproven_forks, why_unproven
from rules.model.facts import BackupFacts, BackupsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.UNKNOWN)
def backup_pages_unproven(backups: BackupsFacts) -> Iterator[Found]:
    for backup in backups.backups:
        if backup.pages is None:
            continue
        if backup.pages.unchecked:
            yield Found(
                tr(
                    "{url}: no page was checked: {why}",
                    url=backup.url,
                    why=backup.pages.unchecked,
                ),
                backup=backup.url,
            )
        elif forks := unproven_forks(backup):
            count = page_total(forks)
            yield Found(
                trn(
                    "{url}: {n} page is damaged, or was copied half-written: {forks} ({why})",
                    "{url}: {n} pages are damaged, or were copied half-written: {forks} ({why})",
                    count,
                    url=backup.url,
                    forks=named_forks(forks),
                    why=_why(backup),
                ),
                backup=backup.url,
                relation=forks[0].relation,
                fork=forks[0].fork,
                block=forks[0].blocks[0],
                pages=count,
            )


def _why(backup: BackupFacts) -> str:
    return why_unproven(backup) or tr("its header is that of a page that was never written")
