"""Something that looks like a base backup cannot be read.

Why it matters
    It may be the one that a restore would start from, and nothing is known of it.
How to look
    The finding says why. Look at the directory as the agent's account (sudo -u ACCOUNT ls -l):
    rights, a copy that goes on, a directory that is no backup.
What to do
    The finding names the file and what is wrong with it; restore that file from another copy of
    the same backup, or remove the directory if it is none.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.facts import BackupsFacts
from rules.findings import Severity


@check(severity=Severity.UNKNOWN)
def backup_unreadable(backups: BackupsFacts) -> Iterator[Found]:
    for url, reason in sorted(backups.unreadable.items()):
        yield Found(reason, backup=url)
