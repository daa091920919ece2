"""WAL that a base backup needs to become consistent is there and cannot be used.

Why it matters
    Recovery must get past the backup's end before it may open. It ends earlier, at the segment that
    the finding names, and PostgreSQL refuses to start.
How to look
    The finding names the segment and its damage. pg_waldump on the file shows where it ends;
    compare with other copies of it.
What to do
    Fetch that segment again from pg_wal of the primary, from a standby or from a copy of the
    archive; failing that, restore from another backup and take a new one.
"""

from collections.abc import Iterator

from rules.backups import missing_segments
from rules.check import Found, check
from rules.evidence import SequenceFacts
from rules.facts import ArchiveFacts
from rules.findings import Severity
from rules.outcome import Cause
from rules.target import TargetFacts


@check(severity=Severity.CRITICAL)
def backup_wal_unusable(
    target: TargetFacts, archive: ArchiveFacts | None, sequence: SequenceFacts | None
) -> Iterator[Found]:
    if target.cause is not Cause.BACKUP_WAL or _is_absent(target, archive, sequence):
        return
    obstacle = target.obstacle
    yield Found(
        target.reason,
        outcome=target.outcome,
        timeline=target.timeline,
        segment=obstacle.segment if obstacle else None,
        backup=target.backup.url if target.backup else None,
    )


def _is_absent(
    target: TargetFacts, archive: ArchiveFacts | None, sequence: SequenceFacts | None
) -> bool:
    """What is not there at all is said by backup_wal_missing and backup_stop_not_archived."""
    if target.backup is None or sequence is None:
        return False
    size = target.backup.segment_size_bytes or sequence.segment_size_bytes
    return bool(missing_segments(target.backup, archive, size))
