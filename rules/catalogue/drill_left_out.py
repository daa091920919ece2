"""A part of the drill was left out.

Why it matters
    The verdict of a drill covers what was looked at, and no more.
What to do
    Choose a complete installation with --pg-bindir where a program is missing. Libraries that are
    preloaded on the primary must be installed where it will be restored.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.drills import DrillsFacts
from rules.findings import Severity


@check(severity=Severity.INFO)
def drill_left_out(drills: DrillsFacts) -> Iterator[Found]:
    drill = drills.last_run
    if drill is None:
        return
    for inspection in drill.inspections:
        if inspection.result == "not_done":
            yield Found(f"{inspection.name} was not looked at: {inspection.detail}")
    for note in drill.notes:
        yield Found(note)
