"""No base backup was named, so nothing can be said about restoring.

Why it matters
    WAL alone restores nothing: every restore begins with a base backup.
What to do
    Name one with --backup DIR, or the directory that holds them with --backups DIR.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.facts import BackupsFacts
from rules.model.findings import Severity
from rules.model.target import TargetFacts
from rules.verdict.check import Found, check


@check(severity=Severity.UNKNOWN, asked=True)
def backup_not_given(target: TargetFacts, backups: BackupsFacts | None) -> Iterator[Found]:
    if backups is not None and (backups.unreadable or backups.changing):
        return  # backup_unreadable and backup_in_progress say it
    if target.backup is None and target.reachable is None:
        yield Found(tr("no base backup was given: only the archive was checked"))
