"""Files of a backup on a disk are looked at by several threads: what is said is the same."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from agent.backups.files import side_by_side
from parsers.files.backup_manifest import ManifestFile


def files(count: int) -> Iterator[ManifestFile]:
    """A generator, as that of a manifest: no two threads may be in it at once."""
    for number in range(count):
        yield ManifestFile(
            path=str(number), size_bytes=0, modified_at=None, checksum_algorithm=None, checksum=None
        )


def test_what_is_wrong_is_said_in_the_order_of_the_manifest() -> None:
    def look(file: ManifestFile) -> str | None:
        time.sleep(0.02 if file.path == "3" else 0)
        return f"wrong: {file.path}" if int(file.path) % 3 == 0 else None

    found = [(file.path, what) for file, what in side_by_side(look, files(1000))]
    assert found == [(str(number), f"wrong: {number}") for number in range(0, 1000, 3)]


def test_a_fault_of_ours_is_not_lost() -> None:
    def look(file: ManifestFile) -> None:
        if file.path == "500":
            raise ZeroDivisionError(file.path)

    with pytest.raises(ZeroDivisionError, match="500"):
        list(side_by_side(look, files(100_000)))


def test_nothing_to_look_at() -> None:
    assert list(side_by_side(lambda file: "wrong", files(0))) == []
