"""A trial restore did not open.

Why it matters
    This is what would have happened in the emergency: the server refused, or died on the way.
How to look
    The drill's report has the server's FATAL line and the phase. Run pitr-check with the same
    target for the cause.
What to do
    Fix what the cause names. If it was predicted, the verdict's other findings say what is
    missing; if it was not, keep the report and look at the server's own words in it.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.drill.records import DrillsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL)
def drill_failed(drills: DrillsFacts) -> Iterator[Found]:
    drill = drills.last_run
    if drill is not None and drill.outcome == "failed":
        yield Found(
            tr(
                "the drill of {backup} to {target} failed: {reason}",
                backup=drill.backup,
                target=drill.target,
                reason=drill.reason,
            ),
            backup=drill.backup,
            fatal=drill.fatal,
        )
