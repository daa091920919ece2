"""WAL is missing or unusable between the base backup and the recovery target.

Why it matters
    Recovery ends at the first segment that it cannot use, before it has reached the target:
    PostgreSQL gives up ("recovery ended before configured recovery target was reached").
What to do
    Bring the segment that the finding names back from pg_wal of the primary, from a standby or from
    a copy of the archive; or restore from a backup that was taken after it; or choose a target
    before it.
"""

from collections.abc import Iterator

from rules.model.findings import Severity
from rules.model.outcome import Cause
from rules.model.target import TargetFacts
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL, asked=True)
def target_behind_gap(target: TargetFacts) -> Iterator[Found]:
    if target.cause is Cause.BEYOND_GAP:
        yield Found(
            target.reason, outcome=target.outcome, timeline=target.timeline, **target.end_of_wal
        )
