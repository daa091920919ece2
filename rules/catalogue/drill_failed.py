"""A restore that really ran did not open.

Why it matters
    This is what would have happened in the emergency: the server refused, or died on the way.
How to look
    The drill's report has the server's FATAL line and the phase. Run pitr-check with the same
    target for the cause.
What to do
    Mend what the cause names. If it was predicted, the verdict's other findings say what is
    missing; if it was not, keep the report and look at the server's own words in it.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.drills import DrillsFacts
from rules.findings import Severity


@check(severity=Severity.CRITICAL)
def drill_failed(drills: DrillsFacts) -> Iterator[Found]:
    drill = drills.last_run
    if drill is not None and drill.outcome == "failed":
        yield Found(
            f"the drill of {drill.backup} to {drill.target} failed: {drill.reason}",
            backup=drill.backup,
            fatal=drill.fatal,
        )
