"""The timeline asked for left its parent before the base backup was taken.

Why it matters
    A backup of the parent, taken after the fork, holds changes that the other timeline never had:
    PostgreSQL refuses ("requested timeline … is not a child of this server's history"). With
    recovery_target_timeline = 'latest' a clone that archives here is enough to cause it.
What to do
    Restore with recovery_target_timeline = 'current', or with the number of the backup's own
    timeline; or take a backup that lies on the timeline asked for.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.findings import Severity
from rules.model.outcome import Cause
from rules.model.target import TargetFacts
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL, asked=True)
def fork_before_backup(target: TargetFacts) -> Iterator[Found]:
    if target.cause is Cause.FORK_BEFORE_BACKUP:
        yield Found(
            target.reason,
            outcome=target.outcome,
            timeline=target.timeline,
            backup=target.backup.url if target.backup else None,
            backup_timeline=target.backup.label.timeline if target.backup else None,
            remedy=_remedy(target.backup.label.timeline) if target.backup else None,
        )


def _remedy(timeline: int) -> str:
    return tr(
        "Ask again with --timeline current (recovery_target_timeline = 'current', here {timeline})"
        " to follow the backup's own timeline, or name a backup of the timeline asked for.",
        timeline=timeline,
    )
