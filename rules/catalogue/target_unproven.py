"""Whether the recovery target can be reached was not proven.

Why it matters
    The records that decide where recovery stops were not read: this is neither a yes nor a no.
What to do
    Ask again with --depth records.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.findings import Severity
from rules.target import TargetFacts


@check(severity=Severity.UNKNOWN)
def target_unproven(target: TargetFacts) -> Iterator[Found]:
    if target.reachable is None and target.target.type != "none":
        yield Found(target.reason, outcome=target.outcome, timeline=target.timeline)
