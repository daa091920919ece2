"""No base backup was named, so nothing can be said about restoring.

Why it matters
    WAL alone restores nothing: every restore begins with a base backup.
What to do
    Name one with --backup DIR, or the directory that holds them with --backups DIR.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.findings import Severity
from rules.target import TargetFacts


@check(severity=Severity.UNKNOWN)
def backup_not_given(target: TargetFacts) -> Iterator[Found]:
    if target.backup is None and target.reachable is None:
        yield Found("no base backup was given: only the archive was looked at")
