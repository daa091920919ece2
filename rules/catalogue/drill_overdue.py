"""No drill has succeeded for too long.

Why it matters
    A backup is valid when it was restored. Whatever changed since the last good drill (the backups,
    the archive, the machine to restore on) is untested.
How to look
    The cluster's API lists the drills, with the reason of each that was not good; the agent's log
    says when one begins and how it ends (journalctl -u pitr-agent | grep pitr.drill).
What to do
    Fix what kept them from succeeding. If they do not begin, look at drill.schedule and its time
    zone; if they do not end, at drill.timeout. By hand: pitr-check --config FILE --cluster NAME
    --drill.
"""

from collections.abc import Iterator
from datetime import datetime

from parsers.sentences import tr
from rules.drill.records import DrillsFacts
from rules.model.facts import Objectives
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING)
def drill_overdue(drills: DrillsFacts, objectives: Objectives, now: datetime) -> Iterator[Found]:
    wanted, good = objectives.drill_age_seconds, drills.last_success
    since = good.ended_at if good else drills.since
    if wanted is None or since is None:
        return
    age = (now - since).total_seconds()
    if age > wanted:
        ago, objective = _days(age), _days(wanted)
        yield Found(
            tr(
                "the last good drill ended {ago} ago; the objective is {objective}",
                ago=ago,
                objective=objective,
            )
            if good
            else tr(
                "none was good since they were planned, {ago} ago; the objective is {objective}",
                ago=ago,
                objective=objective,
            ),
            age_seconds=round(age),
            objective_seconds=wanted,
            drills=len(drills.records),
        )


def _days(seconds: float) -> str:
    if seconds >= 86400:
        return tr("{days:.1f} days", days=seconds / 86400)
    return tr("{hours:.1f} hours", hours=seconds / 3600)
