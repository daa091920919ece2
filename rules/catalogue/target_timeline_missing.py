"""The timeline asked for does not exist in the archive.

Why it matters
    PostgreSQL needs the history file of a timeline that is named by its number, and refuses without
    it ("recovery target timeline … does not exist").
What to do
    Name one of the timelines that the verdict lists, or copy the missing NNNNNNNN.history from
    pg_wal of the server that runs on the timeline.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.findings import Severity
from rules.outcome import Cause
from rules.target import TargetFacts


@check(severity=Severity.CRITICAL)
def target_timeline_missing(target: TargetFacts) -> Iterator[Found]:
    if target.cause is Cause.TIMELINE_MISSING:
        yield Found(target.reason, outcome=target.outcome, asked=target.target.timeline)
