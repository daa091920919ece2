"""The archiver's latest attempt failed.

Why it matters
    Until an attempt succeeds, no commit in the waiting segments can be restored from the archive,
    and pg_wal grows until the disk is full.
How to look
    SELECT * FROM pg_stat_archiver shows the segment and the time. The server log has the
    command and its exit status: search it for "archive command failed". Then see whether the
    archive is reachable, writable and has room (df).
What to do
    Read the archiver's lines in the server log, and run archive_command by hand, as the server's
    account, on the oldest segment that has a .ready file in pg_wal/archive_status.
"""

from collections.abc import Iterator

from rules.model.facts import ArchiverFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL, hold_seconds=60)
def archiver_failing(archiver: ArchiverFacts) -> Iterator[Found]:
    failed, archived = archiver.last_failed_at, archiver.last_archived_at
    if failed is not None and (archived is None or failed > archived):
        yield Found(
            f"WAL archiving is failing: {archiver.last_failed_wal} at {failed:%Y-%m-%d %H:%M:%S%z}",
            segment=archiver.last_failed_wal,
            failed_at=failed.isoformat(),
            failed_count=archiver.failed_count,
        )
