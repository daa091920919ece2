"""A backup that is read to its contents is read once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import agent.backups.memory
from agent.backups.describe import BackupDepth
from agent.backups.find import read_any_backup
from agent.backups.memory import BackupMemory
from rules.model.facts import BackupFacts
from tests.unpack import unpack_tar

SAMPLE = Path(__file__).parents[2] / "data" / "archives" / "good_15.tar.xz"


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    unpack_tar(SAMPLE, tmp_path)
    return next(tmp_path.rglob("backup_label")).parent


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """The backups that were really read."""
    found: list[Path] = []

    def counted(path: Path, depth: BackupDepth) -> BackupFacts:
        found.append(path)
        return read_any_backup(path, depth)

    monkeypatch.setattr(agent.backups.memory, "read_any_backup", counted)
    return found


def test_it_is_read_again_when_a_file_of_it_changes(backup: Path, reads: list[Path]) -> None:
    memory = BackupMemory(3600.0)
    first = memory.read(backup, "checksums")
    assert memory.read(backup, "checksums") == first and len(reads) == 1
    version = backup / "PG_VERSION"
    status = version.stat()
    version.write_bytes(b"xx\n"[: status.st_size])
    os.utime(version, ns=(status.st_atime_ns, status.st_mtime_ns))  # ctime still tells
    changed = memory.read(backup, "checksums")
    assert len(reads) == 2
    assert any(each.startswith("PG_VERSION") for each in changed.bad_files)
    version.unlink()
    assert any("PG_VERSION (absent)" in each for each in memory.read(backup, "checksums").bad_files)


@pytest.mark.parametrize(
    ("depth", "reverify_seconds"), [("checksums", 0.0), ("files", 3600.0), ("label", 3600.0)]
)
def test_it_is_read_again_when_it_is_due_or_cheap(
    backup: Path, reads: list[Path], depth: BackupDepth, reverify_seconds: float
) -> None:
    memory = BackupMemory(reverify_seconds)
    memory.read(backup, depth)
    memory.read(backup, depth)
    assert len(reads) == 2
