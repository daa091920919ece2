"""No archive was named, so nothing can be said about restoring.

Why it matters
    A backup becomes consistent with the WAL that was written while it was taken, and gets anywhere
    later only with the WAL after it. Without an archive, only the backup's own files were checked.
What to do
    Name the directory that archive_command writes to with --archive DIR; with --wal DIR, a
    pg_wal.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.facts import ArchiveFacts
from rules.model.findings import Severity
from rules.model.target import TargetFacts
from rules.verdict.check import Found, check


@check(severity=Severity.UNKNOWN, asked=True)
def archive_not_given(target: TargetFacts, archive: ArchiveFacts | None) -> Iterator[Found]:
    if archive is None and target.backup is not None:
        yield Found(tr("no archive was given: only the backup was checked"))
