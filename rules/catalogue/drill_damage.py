"""The restored cluster opens, but its data is damaged.

Why it matters
    A backup copies damage faithfully, and WAL does not repair it: only an older backup or another
    server still has the data.
How to look
    The drill's report (pitr-check --drill --format json) names the tool and what it said:
    pg_checksums, pg_amcheck or pg_dump; "connection" where the server ends every session at once.
What to do
    Look at the same relation on the primary. If it is sound there, take a new backup and drill it;
    if not, restore from before the damage.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.drill.records import DrillsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL)
def drill_damage(drills: DrillsFacts) -> Iterator[Found]:
    for inspection in drills.last_run.inspections if drills.last_run else ():
        if inspection.result == "failed":
            yield Found(
                tr("{name}: {detail}", name=inspection.name, detail=inspection.detail),
                inspection=inspection.name,
            )
