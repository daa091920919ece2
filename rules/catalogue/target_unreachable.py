"""The recovery target cannot be reached with what is there.

Why it matters
    PostgreSQL would refuse to start, or open with another state than the one asked for.
What to do
    Choose a target inside one of the windows that the verdict lists, or find the WAL that is
    missing.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.findings import Severity
from rules.target import TargetFacts


@check(severity=Severity.CRITICAL)
def target_unreachable(target: TargetFacts) -> Iterator[Found]:
    if target.reachable is False:
        yield Found(
            target.reason,
            remedy=target.prediction.remedy if target.prediction else None,
            outcome=target.outcome,
            timeline=target.timeline,
        )
