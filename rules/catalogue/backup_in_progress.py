"""A base backup is being written, copied or deleted.

Why it matters
    It does not count: neither for what can be restored nor as a backup that is damaged.
How to look
    ps shows pg_basebackup or the copy; ls -lt in its directory what was written last. Five minutes
    after the last change it is judged as it is.
What to do
    Nothing, unless no program is writing it any more: then delete what it left.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.facts import BackupsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.INFO)
def backup_in_progress(backups: BackupsFacts) -> Iterator[Found]:
    for url, at in sorted(backups.changing.items()):
        yield Found(
            tr(
                "{url} has neither a manifest nor global/pg_control yet; its last change was at"
                " {at:%H:%M:%S} UTC",
                url=url,
                at=at,
            ),
            backup=url,
            changed_at=at.isoformat(),
        )
