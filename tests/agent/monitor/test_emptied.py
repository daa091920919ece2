"""An archive that becomes empty from one look to the next."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from agent.archive.directory import NotAnArchive, list_archive
from agent.ledger.store import Ledger
from agent.monitor.emptied import Emptied
from rules.model.facts import ArchiveFacts

NAMES = [f"{1:08X}{0:08X}{number:08X}" for number in range(1, 4)]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Empty; and it is not below that anything lies."""
    place = tmp_path / "archive"
    place.mkdir()
    return place


def fill(archive: Path) -> None:
    for name in NAMES:
        (archive / name).write_bytes(b"\0" * (1 << 20))


def look(emptied: Emptied, archive: Path) -> ArchiveFacts:
    return emptied.look(str(archive), partial(list_archive, str(archive)))


def replaced(archive: Path) -> None:
    """As by an unmount: another directory has the name, and nothing in it."""
    archive.rename(archive.with_name("mounted"))
    archive.mkdir()


def test_another_directory_that_is_empty_proves_nothing_until_it_stays_so(archive: Path) -> None:
    clock = Clock()
    emptied = Emptied(None, clock)
    fill(archive)
    assert len(look(emptied, archive).segments) == 3
    replaced(archive)
    for clock.now in (0, 10, 20, 59):
        with pytest.raises(NotAnArchive, match=r"held 3 segments at the last look: is it mounted"):
            look(emptied, archive)
    clock.now = 60
    assert not look(emptied, archive).segments
    clock.now = 61
    assert not look(emptied, archive).segments, "it is not forgotten at the next look"


def test_one_long_pause_is_not_staying_so(archive: Path) -> None:
    clock = Clock()
    emptied = Emptied(None, clock)
    fill(archive)
    look(emptied, archive)
    replaced(archive)
    for clock.now in (0, 10_000):
        with pytest.raises(NotAnArchive):
            look(emptied, archive)


def test_it_may_be_mounted_again_and_vanish_again(archive: Path) -> None:
    clock = Clock()
    emptied = Emptied(None, clock)
    fill(archive)
    look(emptied, archive)
    for _ in range(3):
        replaced(archive)
        for step in (1, 49):
            clock.now += step
            with pytest.raises(NotAnArchive):
                look(emptied, archive)
        archive.rmdir()
        archive.with_name("mounted").rename(archive)
        assert look(emptied, archive).segments


def test_the_same_directory_is_proof_at_once(archive: Path) -> None:
    emptied = Emptied(None)
    fill(archive)
    look(emptied, archive)
    for name in NAMES:
        (archive / name).unlink()
    assert not look(emptied, archive).segments


def test_one_that_was_always_empty_is_empty(archive: Path) -> None:
    assert not look(Emptied(None), archive).segments


@pytest.fixture
def mounted(archive: Path) -> Iterator[Path]:
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", archive], check=True)
    yield archive
    subprocess.run(["umount", archive], check=False, stderr=subprocess.DEVNULL)


@pytest.mark.needs("mount")
def test_a_file_system_that_is_not_mounted_any_more(mounted: Path) -> None:
    emptied = Emptied(None)
    fill(mounted)
    look(emptied, mounted)
    subprocess.run(["umount", mounted], check=True)
    with pytest.raises(NotAnArchive, match="is it mounted"):
        look(emptied, mounted)


def ledger_of(tmp_path: Path, directory: Path) -> Ledger:
    """A ledger that knows of segments in a directory."""
    from datetime import UTC, datetime

    from agent.ledger.encode import PackedScan
    from agent.ledger.store import FileRow
    from rules.model.facts import ArchivedFile

    ledger = Ledger(str(tmp_path / "ledger.sqlite"), pytest.fail)
    ledger.open()
    rows = [
        FileRow(
            ArchivedFile(str(directory), name, 1, 1, 1), "records", 1 << 20,
            datetime.now(UTC), b"", True, None, None,
        )
        for name in NAMES
    ]  # fmt: skip
    ledger.write((row, PackedScan(b"", b"")) for row in rows)
    return ledger


@pytest.mark.parametrize("below", ["", "2026/11"])
def test_after_a_restart_the_ledger_knows(archive: Path, tmp_path: Path, below: str) -> None:
    emptied = Emptied(ledger_of(tmp_path, archive / below))
    with pytest.raises(NotAnArchive, match="held 3 segments"):
        look(emptied, archive)


def test_the_ledger_tells_an_archive_from_its_neighbour(archive: Path, tmp_path: Path) -> None:
    emptied = Emptied(ledger_of(tmp_path, tmp_path / "archive2"))
    assert not look(emptied, archive).segments
