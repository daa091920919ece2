"""The first segment of a timeline is missing from the archive.

Why it matters
    That segment holds the place where the timeline left its parent. Without it recovery takes the
    parent's file of the same number, replays the old branch past the fork, and ends there: without
    a target it opens with a history that never was.
How to look
    The finding names the segment: the first of the new timeline, which holds the switch point
    in its .history file. Look for it in pg_wal of the promoted server, and for its .ready file.
What to do
    Copy the segment from pg_wal of the server that runs on the timeline. If it is gone, take a base
    backup on this timeline now.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.evidence import SequenceFacts
from rules.model.findings import Severity
from rules.model.sequence import LOST
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL)
def fork_segment_missing(sequence: SequenceFacts) -> Iterator[Found]:
    for gap in sequence.gaps:
        if gap.at_fork and gap.cause == LOST and not gap.harmless:
            yield Found(
                tr(
                    "{segment}, where timeline {timeline} begins, is missing",
                    segment=gap.first_name,
                    timeline=gap.timeline,
                )
                if gap.first == gap.last
                else tr(
                    "{segment}, where timeline {timeline} begins, is missing with the {count}"
                    " after it",
                    segment=gap.first_name,
                    timeline=gap.timeline,
                    count=gap.segments_count - 1,
                ),
                timeline=gap.timeline,
                first=gap.first_name,
                last=gap.last_name,
                segments=gap.segments_count,
            )
