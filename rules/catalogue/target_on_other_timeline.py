"""The state asked for lies on another timeline than the one that recovery would follow.

Why it matters
    PostgreSQL looks for a target on one timeline alone. It opens with another history than the one
    that was meant, and says nothing.
What to do
    Give --timeline (recovery_target_timeline) the number that the finding names; where a history
    file is missing, copy it from pg_wal of the server that runs on that timeline.
"""

from collections.abc import Iterator

from rules.model.findings import Severity
from rules.model.outcome import Cause
from rules.model.target import TargetFacts
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL, asked=True)
def target_on_other_timeline(target: TargetFacts) -> Iterator[Found]:
    if target.cause is Cause.OTHER_TIMELINE:
        left = target.prediction.left_behind if target.prediction else ()
        where = left[0] if left else None
        yield Found(
            target.reason,
            outcome=target.outcome,
            timeline=target.timeline,
            found_on=where.timeline if where else None,
            commits=where.commits if where else None,
            first_segment=where.segments[0] if where else None,
            last_segment=where.segments[-1] if where else None,
        )
