"""Data checksums are off.

Why it matters
    Pages that a disk has changed go into every base backup unnoticed: what is restored may be
    broken, though backup and WAL are proven whole.
What to do
    Turn them on while the server is down: pg_checksums --enable -D DATADIR; initdb does it by
    default from PostgreSQL 18 on. Then take a base backup.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.facts import BackupsFacts, ControlFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.INFO, hold_seconds=60)
def checksums_off(control: ControlFacts | None, backups: BackupsFacts | None) -> Iterator[Found]:
    if control is not None:
        if control.data_checksums is False:
            yield Found(tr("data checksums are off"), read_from="pg_control")
        return
    newest = backups.backups[-1] if backups and backups.backups else None
    if newest and newest.control and newest.control.data_checksum_version == 0:
        yield Found(tr("data checksums are off"), read_from=f"{newest.url}/global/pg_control")
