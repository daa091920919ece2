"""Recovery would end before what the archive holds, and say nothing of it.

Why it matters
    Without a target PostgreSQL takes the first segment that it cannot use for the end of WAL and
    opens the database there: everything behind it is lost, and no message tells.
What to do
    Bring the segment that the finding names back before restoring. If it is gone for good, take a
    base backup now; and restore with a target, which makes PostgreSQL refuse instead.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.findings import Severity
from rules.outcome import Cause
from rules.target import TargetFacts


@check(severity=Severity.CRITICAL)
def recovery_ends_short(target: TargetFacts) -> Iterator[Found]:
    if target.cause is Cause.ENDS_SHORT:
        yield Found(
            target.reason, outcome=target.outcome, timeline=target.timeline, **target.end_of_wal
        )
