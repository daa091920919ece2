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

from rules.backup.completeness import missing_segments
from rules.model.evidence import SequenceFacts
from rules.model.facts import ArchiveFacts
from rules.model.findings import Severity
from rules.model.outcome import Cause
from rules.model.target import TargetFacts
from rules.recovery.unlabelled import doubt
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL, asked=True)
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
    """What is not there at all is said by others: backup_without_label, backup_wal_missing, …"""
    if target.backup is not None and target.backup.unlabelled is not None:
        return doubt(target.backup.unlabelled) is not None
    if target.backup is None or sequence is None:
        return False
    size = target.backup.segment_size_bytes or sequence.segment_size_bytes
    missing = missing_segments(target.backup, archive, size)
    return missing is not None and missing.count > 0
