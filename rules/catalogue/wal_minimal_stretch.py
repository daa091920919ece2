"""A stretch of the archived WAL was written with wal_level = minimal.

Why it matters
    Such WAL leaves out what bulk operations wrote. Recovery cannot pass it: PostgreSQL 14 and later
    end with "WAL was generated with wal_level=minimal, cannot continue recovering". No backup from
    before that stretch reaches anything after it.
How to look
    pg_waldump -r XLOG over the segments that the finding names: PARAMETER_CHANGE records show
    wal_level.
What to do
    Take a base backup now, with wal_level = replica or logical; until then choose targets before
    the position that the finding names.
"""

from collections.abc import Iterator

from parsers.lsn import format_lsn
from parsers.sentences import tr
from rules.model.evidence import WalEventsFacts
from rules.model.facts import BackupsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL)
def wal_minimal_stretch(events: WalEventsFacts, backups: BackupsFacts | None) -> Iterator[Found]:
    started = [backup.label.start_lsn for backup in backups.backups] if backups else []
    for timeline, change in events.parameter_changes:
        if change.wal_level == 0 and change.lsn >= min(started, default=0):
            at = format_lsn(change.lsn)
            yield Found(
                tr(
                    "the server that wrote timeline {timeline} had wal_level = minimal "
                    "from {at} on",
                    timeline=timeline,
                    at=at,
                ),
                timeline=timeline,
                lsn=at,
                backup_behind=any(lsn > change.lsn for lsn in started),
            )
