"""The drill could not run.

Why it matters
    Nothing was proven by a restore, neither that it works nor that it does not.
How to look
    The finding says what was missing: the programs of that major (--pg-bindir), room on the
    disk, a directory that can be written to.
What to do
    Fix what the message names (another --drill-directory, another --pg-bindir), and drill again.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.drill.records import DrillsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.UNKNOWN)
def drill_not_run(drills: DrillsFacts) -> Iterator[Found]:
    drill = drills.last
    if drill is not None and not drill.ran and drill.timed_out is None:
        yield Found(tr("the drill could not be made: {reason}", reason=drill.reason))
