"""WAL that a base backup needs to become consistent is nowhere.

Why it matters
    Without every segment from its start to its stop the backup cannot be restored at all: recovery
    ends with "WAL ends before end of online backup" or finds no checkpoint record.
How to look
    The finding names the segments. Look for them in the archive, in the backup's own pg_wal or
    pg_wal.tar, in pg_wal of the primary and of its standbys.
What to do
    Look for the segments in pg_wal of the primary and its standbys, and copy them into the archive
    under their own names; if they are gone, take a new backup.
"""

from collections.abc import Iterator

from parsers.sentences import trn
from rules.backup.completeness import lacks_only_its_end, missing_segments
from rules.model.evidence import SequenceFacts
from rules.model.facts import ArchiveFacts, BackupsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL)
def backup_wal_missing(
    backups: BackupsFacts, archive: ArchiveFacts, sequence: SequenceFacts
) -> Iterator[Found]:
    for backup in backups.backups:
        size = backup.segment_size_bytes or sequence.segment_size_bytes
        missing = missing_segments(backup, archive, size)
        if missing and missing.count and not lacks_only_its_end(missing, archive):
            yield Found(
                trn(
                    "{url}: {n} segment that it needs missing, the first {first}",
                    "{url}: {n} segments that it needs missing, the first {first}",
                    missing.count,
                    url=backup.url,
                    first=missing.first,
                ),
                backup=backup.url,
                first=missing.first,
                last=missing.last,
                segments=missing.count,
            )
