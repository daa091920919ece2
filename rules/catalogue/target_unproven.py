"""Whether the recovery target can be reached was not proven.

Why it matters
    The records that decide where recovery stops were not read: this is neither a yes nor a no.
What to do
    Ask again with --depth records. Where that was done, make readable what the finding names.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.findings import Severity
from rules.model.target import TargetFacts
from rules.verdict.check import Found, check

_READ_ALREADY = tr("The records were read: make readable what stands in the way, and ask again.")


@check(severity=Severity.UNKNOWN, asked=True)
def target_unproven(target: TargetFacts) -> Iterator[Found]:
    if target.reachable is None and target.target.type != "none":
        yield Found(
            target.reason,
            outcome=target.outcome,
            timeline=target.timeline,
            remedy=_READ_ALREADY if target.prediction else None,
        )
