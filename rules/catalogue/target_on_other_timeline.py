"""The state asked for lies on another timeline than the one that recovery would follow.

Why it matters
    PostgreSQL looks for a target on one timeline alone. It opens with another history than the one
    that was meant, and says nothing.
What to do
    Give --timeline (recovery_target_timeline) the number that the finding names; where a history
    file is missing, copy it from pg_wal of the server that runs on that timeline.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.findings import Severity
from rules.outcome import Cause
from rules.target import TargetFacts


@check(severity=Severity.CRITICAL)
def target_on_other_timeline(target: TargetFacts) -> Iterator[Found]:
    if target.cause is Cause.OTHER_TIMELINE:
        yield Found(target.reason, outcome=target.outcome, timeline=target.timeline)
