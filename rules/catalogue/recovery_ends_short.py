"""Recovery would end before the end of the archived WAL, without any error.

Why it matters
    Without a target PostgreSQL takes the first segment that it cannot use for the end of WAL and
    opens the database there: everything after it is lost, without a message.
What to do
    Bring the segment that the finding names back before restoring. If it is gone for good, take a
    base backup now; and restore with a target, which makes PostgreSQL refuse instead.
"""

from collections.abc import Iterator

from rules.model.findings import Severity
from rules.model.outcome import Cause
from rules.model.target import TargetFacts
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL, asked=True)
def recovery_ends_short(target: TargetFacts) -> Iterator[Found]:
    if target.cause is Cause.ENDS_SHORT:
        yield Found(
            target.reason, outcome=target.outcome, timeline=target.timeline, **target.end_of_wal
        )
