"""Scratch areas are left alone by whoever lists archives and backups."""

from __future__ import annotations

import shutil
from pathlib import Path

from agent.archive.directory import list_archive
from agent.archive.scratch_names import is_scratch
from agent.backups.find import find_backups
from agent.drill import area


def test_the_names_are_those_that_areas_have() -> None:
    assert is_scratch(f"{area.PREFIX}x7") and is_scratch(".pitr-drill-new-x7")
    assert not is_scratch("drill") and not is_scratch("2026-11-22")


def test_what_a_drill_restores_is_no_backup_and_no_archive(tmp_path: Path) -> None:
    segment = tmp_path / "2026" / "000000010000000000000003"
    backup = tmp_path / "base"
    for directory in (segment.parent, backup):
        directory.mkdir()
    segment.write_bytes(b"")
    (backup / "backup_label").write_text("")
    (backup / "PG_VERSION").write_text("16")
    scratch = tmp_path / f"{area.PREFIX}x7"
    shutil.copytree(backup, scratch / "data")
    (scratch / "wal").mkdir()
    (scratch / "wal" / "000000010000000000000004").write_bytes(b"")
    assert list(find_backups(tmp_path)) == [backup]
    assert set(list_archive(str(tmp_path)).segments) == {segment.name}
