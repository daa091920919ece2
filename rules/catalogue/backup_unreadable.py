"""A base backup, or a file or directory of it, cannot be read.

Why it matters
    It may be the one that a restore would start from, and what could not be read is not known to
    be good. Nothing is proven against it either.
How to look
    The finding says why. Look at the directory as the agent's account (sudo -u ACCOUNT ls -l):
    rights, a copy that is still running, a directory that is no backup.
What to do
    What the finding says for its cause. A right that lacks: run this as the owner of the backup
    (sudo -u OWNER ...), or give this account the right to read it. Encrypted: give the passphrase
    or key that the tool has. A PostgreSQL newer than this program knows: update this program. A
    store that did not answer: ask again. Else restore the file that the finding names from another
    copy of the same backup, or remove the directory if it is no backup.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from parsers.sentences import tr, trn
from rules.model.facts import BackupsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check
from rules.verdict.hindrance import ASK_THE_STORE, RIGHTS, STORE, Hindrance, hindrance_of

_HINDRANCES: Final = (
    Hindrance(
        "rights", RIGHTS,
        tr(
            "Run this as the owner of the backup (sudo -u OWNER ...), or give this account the"
            " right to read it."
        ),
    ),
    Hindrance(
        "cold_storage", r"in cold storage",
        tr("Restore it in the store first, from cold storage to a class that can be read."),
    ),
    Hindrance(
        "encryption", r"encrypted|passphrase|decrypt|no key to read",
        tr(
            "Give the passphrase or key that the tool which made the backup has, where the finding"
            " says one is looked for."
        ),
    ),
    Hindrance(
        "release", r"newer than .* knows|that this program knows",
        tr("Update this program: a newer release of it knows this PostgreSQL."),
    ),
    Hindrance("store", STORE, ASK_THE_STORE),
    Hindrance(
        "no_file", r"not a file|a link |larger than",
        tr(
            "See who put it there, and remove it. Restore it from another copy of the same backup."
        ),
    ),
    Hindrance(
        "content", "",
        tr(
            "Restore it from another copy of the same backup, or remove the directory if it is no"
            " backup."
        ),
    ),
)  # fmt: skip


@check(severity=Severity.UNKNOWN)
def backup_unreadable(backups: BackupsFacts) -> Iterator[Found]:
    for url, reason in sorted(backups.unreadable.items()):
        cause = hindrance_of(reason.removeprefix(url), _HINDRANCES)
        yield Found(reason, remedy=cause.remedy, backup=url, reason=cause.name)
    for backup in backups.backups:
        by_cause = defaultdict[Hindrance, list[str]](list)
        for file in backup.unread_files:
            by_cause[hindrance_of(file, _HINDRANCES)].append(file)
        for cause, files in by_cause.items():
            yield Found(
                trn(
                    "{url}: {n} file could not be read: {first}",
                    "{url}: {n} files could not be read: the first {first}",
                    len(files),
                    url=backup.url,
                    first=files[0],
                ),
                remedy=cause.remedy,
                backup=backup.url,
                first=files[0],
                files=len(files),
                reason=cause.name,
            )
