"""What to do about a backup or a segment that cannot be read depends on why."""

from __future__ import annotations

import pytest

from rules.catalogue.backup_unreadable import backup_unreadable
from rules.catalogue.wal_unread import wal_unread
from tests.rules.catalogue.facts import backup, backups, name, scan

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


# As the readers of segments give it, and a word of what to do.
OF_SEGMENTS = [
    ("cannot be read: Permission denied: run this as its owner, postgres", "as the owner"),
    ("cannot be read: a link that leads out of the archive", "in the link's place"),
    ("cannot be read: a link to nothing, not a file", "in the link's place"),
    ("cannot be read: a named pipe, not a file", "who put it there"),
    ("cannot be read: a directory, not a file", "who put it there"),
    ("cannot be read: Input/output error", "dmesg"),
    ("reading it takes too long: an earlier look at it still hangs", "file system or mount"),
    ("not read yet: the time for this round was used up", "more time"),
    ("incomplete: it counts as truncated 5 s after its last change", "being archived"),
    ("stored as .br: only its name was checked", "gzip, bzip2, xz"),
    ("the store refuses access (HTTP 403, AccessDenied)", "these credentials"),
    ("a worker of tcp://host:8786: no such file there", "its own log"),
    ("unexpected KeyError: 3 (this is a bug, please report it)", "fault of this program"),
]


@pytest.mark.parametrize(("reason", "word"), OF_SEGMENTS)
def test_each_cause_of_an_unread_segment_has_its_own_remedy(reason: str, word: str) -> None:
    (found,) = wal_unread.function(scan(unread={name(3): reason}), None)
    assert found.remedy is not None and word in found.remedy
    assert ("fault of this program" in found.remedy) == ("unexpected" in reason)


def test_segments_of_one_cause_are_one_finding() -> None:
    denied = "cannot be read: Permission denied: run this as its owner, "
    unread = {name(n): f"{denied}u{n}" for n in range(3, 9)}
    unread[name(9)] = "cannot be read: a socket, not a file"
    rights, no_file = sorted(
        wal_unread.function(scan(unread=unread), None), key=lambda each: -each.evidence["segments"]
    )
    assert (rights.evidence["segments"], rights.evidence["first"]) == (6, name(3))
    assert "owner, u3; " in rights.summary and rights.summary.endswith("; and 3 more reasons")
    assert no_file.evidence["segments"] == 1
