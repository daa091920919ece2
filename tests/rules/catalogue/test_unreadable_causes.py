"""What to do about a backup that cannot be read depends on why."""

from __future__ import annotations

import pytest

from rules.catalogue.backup_unreadable import backup_unreadable
from tests.rules.catalogue.facts import backup, backups

# A reason as the readers of backups give it, its cause, and a word of what to do.
CAUSES = [
    ("Permission denied: run this as its owner, postgres", "rights", "as the owner"),
    ("Permission denied: its own mode 0000 forbids it (chmod u+rX)", "rights", "the right to read"),
    ("encrypted, and there is no passphrase: set PGBACKREST_REPO1_CIPHER_PASS", "encryption",
     "passphrase"),
    ("encrypted (gpg): cannot be read", "encryption", "passphrase"),
    ("PostgreSQL 20: newer than 18, the newest that this program knows", "release", "Update"),
    ("the store refuses access (HTTP 403, AccessDenied)", "store", "these credentials"),
    ("it is in cold storage: restore it there first", "cold_storage", "cold storage"),
    ("a named pipe, not a file", "no_file", "who put it there"),
    ("a link that leads out of the backup", "no_file", "who put it there"),
    ("larger than 1 MiB", "no_file", "who put it there"),
    ("no backup_label in it: it is no base backup that can be restored", "content", "another copy"),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "cause", "word"), CAUSES)
def test_each_cause_has_its_own_remedy(reason: str, cause: str, word: str) -> None:
    url = "/encrypted/the store/not a file"
    (whole,) = backup_unreadable.function(backups(unreadable={url: f"{url}: {reason}"}))
    (file,) = backup_unreadable.function(backups(backup(unread_files=(f"PG_VERSION ({reason})",))))
    for found in (whole, file):
        assert found.evidence["reason"] == cause
        assert found.remedy is not None
        assert word in found.remedy


def test_files_of_several_causes_are_told_apart() -> None:
    unread = ("a (Permission denied)", "b (a socket, not a file)", "c (Permission denied)")
    rights, no_file = backup_unreadable.function(backups(backup(unread_files=unread)))
    assert (rights.evidence["files"], no_file.evidence["files"]) == (2, 1)
    assert "2 files could not be read: the first a (" in rights.summary
