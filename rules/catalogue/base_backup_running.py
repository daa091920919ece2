"""A base backup is being taken from this server.

Why it matters
    It reads all of the data directory, and the WAL that it needs is kept until it ends. When it is
    over it counts as a backup, if its WAL is in the archive.
How to look
    SELECT * FROM pg_stat_progress_basebackup shows the same: the phase, what was streamed, and the
    size that was estimated when it began.
What to do
    Nothing. If it does not get on, look at the network, and at the disk that it is written to.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.capacity.base_backups import BaseBackupsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.INFO)
def base_backup_running(backups: BaseBackupsFacts) -> Iterator[Found]:
    for each in backups.running:
        pace, left = each.bytes_per_second, each.seconds_left
        yield Found(
            tr("a base backup is being taken, {progress}", progress=each.in_words),
            pid=each.pid,
            phase=each.phase,
            streamed_bytes=each.streamed_bytes,
            total_bytes=each.total_bytes,
            bytes_per_second=None if pace is None else round(pace),
            seconds_left=None if left is None else round(left),
        )
