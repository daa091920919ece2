"""The timeline asked for does not exist in the archive.

Why it matters
    PostgreSQL needs the history file of a timeline that is named by its number, and refuses without
    it ("recovery target timeline … does not exist").
What to do
    Name one of the timelines that the verdict lists, or copy the missing NNNNNNNN.history from
    pg_wal of the server that runs on the timeline.
"""

from collections.abc import Iterator

from rules.model.findings import Severity
from rules.model.outcome import Cause
from rules.model.target import TargetFacts
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL, asked=True)
def target_timeline_missing(target: TargetFacts) -> Iterator[Found]:
    if target.cause is Cause.TIMELINE_MISSING:
        yield Found(target.reason, outcome=target.outcome, asked=target.target.timeline)
