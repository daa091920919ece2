"""A timeline has segments in the archive but no history file.

Why it matters
    Without NNNNNNNN.history recovery cannot find where the timeline left its parent: restoring
    from a backup of an earlier timeline fails, and the next promotion may use the number again.
How to look
    Look for the .history file in pg_wal of the server that runs on that timeline, or of one
    that was promoted from it.
What to do
    Copy the .history file from pg_wal of the server that runs on this timeline into the archive.
    History files are never written again: keep retention and lifecycle rules away from them.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.facts import ArchiveFacts
from rules.model.findings import Severity
from rules.model.segment_names import SegmentNames
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING, hold_seconds=60)
def history_missing(archive: ArchiveFacts) -> Iterator[Found]:
    seen = SegmentNames.of(archive.segments).timelines
    for timeline in sorted(seen - {1} - set(archive.histories) - set(archive.broken_histories)):
        yield Found(
            tr(
                "{timeline:08X}.history is not in the archive, though timeline {timeline} is",
                timeline=timeline,
            ),
            timeline=timeline,
        )
