"""The segment in which a base backup ended has not been archived yet.

Why it matters
    Until it is there the backup cannot become consistent, and so not be restored. A backup that was
    copied or declared valid in this moment is born truncated.
How to look
    The finding names the segment. SELECT * FROM pg_stat_archiver tells how far the archiver is,
    pg_wal/archive_status whether it waits (.ready).
What to do
    On the primary: SELECT pg_switch_wal(), and see in pg_stat_archiver that the segment is stored.
    Then ask again with --wait 5m, before the backup is declared valid.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.backup.completeness import lacks_only_its_end, missing_segments
from rules.model.evidence import SequenceFacts
from rules.model.facts import ArchiveFacts, BackupsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL)
def backup_stop_not_archived(
    backups: BackupsFacts, archive: ArchiveFacts, sequence: SequenceFacts
) -> Iterator[Found]:
    for backup in backups.backups:
        size = backup.segment_size_bytes or sequence.segment_size_bytes
        missing = missing_segments(backup, archive, size)
        if missing and missing.count and lacks_only_its_end(missing, archive):
            yield Found(
                tr(
                    "{url}: {segment}, in which it ended, is not in the archive yet",
                    url=backup.url,
                    segment=missing.last,
                ),
                backup=backup.url,
                segment=missing.last,
                segments=missing.count,
            )
