"""The recovery target cannot be reached, for a reason that no other finding names.

Why it matters
    PostgreSQL would refuse to start, or open with another state than the one asked for.
What to do
    The finding says what is in the way. Choose a target inside one of the windows that the verdict
    lists.
"""

from collections.abc import Iterator

from rules.model.findings import Severity
from rules.model.outcome import Cause
from rules.model.target import TargetFacts
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL, asked=True)
def target_unreachable(target: TargetFacts) -> Iterator[Found]:
    if target.cause is Cause.OTHER:
        yield Found(
            target.reason,
            remedy=target.prediction.remedy if target.prediction else None,
            outcome=target.outcome,
            timeline=target.timeline,
        )
