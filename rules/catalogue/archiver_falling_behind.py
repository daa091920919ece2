"""The archiver works, and is slower than the server writes WAL.

Why it matters
    Every minute more WAL waits: what a disk loss would cost grows, and pg_wal with it, while each
    attempt to archive succeeds and no counter of failures moves.
How to look
    Compare pitr_archive_ready_files over time with pitr_archiver_archived_total, and time one
    run of archive_command by hand. iostat and the network's counters on both ends tell which of
    them is full.
What to do
    Find what bounds the archiver: the network or disk of the archive, compression in
    archive_command, one process a segment. A command that sends several segments at once
    (pgBackRest archive-push with archive-async, WAL-G) or larger segments help.
"""

from collections.abc import Iterator
from typing import Final

from parsers.sentences import tr
from rules.capacity.exposure import ExposureFacts
from rules.model.counted import counted, sized
from rules.model.facts import ArchiveStatusFacts, ControlFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check

_WAITING_MIN: Final = 5  # segments: fewer wait on any busy server


@check(severity=Severity.WARNING, hold_seconds=300)
def archiver_falling_behind(
    exposed: ExposureFacts, status: ArchiveStatusFacts, control: ControlFacts
) -> Iterator[Found]:
    written, archived = exposed.written_per_second, exposed.archived_per_second
    if not written or not archived or len(status.ready) < _WAITING_MIN:
        return
    if written > archived and exposed.bytes > _WAITING_MIN * control.segment_size_bytes:
        yield Found(
            tr(
                "{files} waiting: the server writes {written}/s of WAL, the archiver stores"
                " {archived}/s",
                files=counted(len(status.ready), "file"),
                written=sized(written),
                archived=sized(archived),
            ),
            written_bytes_per_second=round(written),
            archived_bytes_per_second=round(archived),
            ready_count=len(status.ready),
        )
