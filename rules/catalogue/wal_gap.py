"""WAL that a restore needs is missing from the archive.

Why it matters
    Recovery ends at the first missing segment. Without a target PostgreSQL takes the gap for the
    end of WAL and opens the database there without a word; with a target beyond it, it refuses.
How to look
    The finding names the segments. Look for them in pg_wal of the primary and its standbys and
    in other archives; the archiver's lines in the server log of that time say what happened.
What to do
    Look for the segments in pg_wal of the primary and its standbys and copy them into the archive
    under their own names. If they are gone, take a base backup now, so that a window begins after
    the gap.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.evidence import SequenceFacts
from rules.findings import Severity
from rules.sequence import LOST


@check(severity=Severity.CRITICAL)
def wal_gap(sequence: SequenceFacts) -> Iterator[Found]:
    for gap in sequence.gaps:
        if gap.cause == LOST and not gap.harmless and not gap.at_fork:
            span = gap.first_name
            if gap.segments_count > 1:
                span += f" to {gap.last_name}"
            yield Found(
                f"{gap.segments_count} segment(s) missing on timeline {gap.timeline}: {span}",
                timeline=gap.timeline,
                first=gap.first_name,
                last=gap.last_name,
                segments=gap.segments_count,
            )
