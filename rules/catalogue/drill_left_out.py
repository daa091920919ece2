"""A part of the drill was left out.

Why it matters
    The verdict of a drill covers only what was checked.
What to do
    Choose a complete installation with --pg-bindir where a program is missing. Name with --preload
    a library that the WAL or a probe needs. Look at the event trigger or function that is named:
    it would have run as a superuser.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.drill.records import DrillsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.INFO)
def drill_left_out(drills: DrillsFacts) -> Iterator[Found]:
    drill = drills.last_run
    if drill is None:
        return
    for inspection in drill.inspections:
        if inspection.result == "not_done":
            yield Found(
                tr(
                    "{name} was not checked: {detail}",
                    name=inspection.name,
                    detail=inspection.detail,
                )
            )
    for note in drill.notes:
        yield Found(note)
