"""WAL is missing from the archive that no restore needs.

Why it matters
    No window is shorter for it: the backup carries that WAL itself, or every backup is newer. It
    is said because an archive that loses files may lose others.
What to do
    Nothing for the restores of today. Find out which retention or which failure removed the files.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.counted import counted
from rules.model.evidence import SequenceFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.INFO)
def wal_gap_harmless(sequence: SequenceFacts) -> Iterator[Found]:
    for gap in sequence.gaps:
        if gap.harmless:
            yield Found(
                tr(
                    "{segments} missing on timeline {timeline} from {first}, which "
                    "no restore needs",
                    segments=counted(gap.segments_count, "segment"),
                    timeline=gap.timeline,
                    first=gap.first_name,
                ),
                timeline=gap.timeline,
                first=gap.first_name,
                last=gap.last_name,
                segments=gap.segments_count,
            )
