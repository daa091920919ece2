"""Where restore_command shows that WAL comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.watch.sources import find_sources


@pytest.mark.parametrize("place", ["s3://wal/shop", "gs://wal", "az://wal/a?endpoint=http://h"])
@pytest.mark.parametrize("form", ["--archive {}", "--archive={}"])
def test_an_object_store_is_neither_there_nor_absent(tmp_path: Path, form: str, place: str) -> None:
    command = f"pitr-agent fetch-wal {form.format(place)} %f %p"
    (tmp_path / "PG_VERSION").write_text("16\n")
    (tmp_path / "postgresql.conf").write_text(f"restore_command = '{command}'\n")
    found = find_sources(tmp_path)
    assert found.settings["restore_command"] == command
    assert (found.archives, found.absent_places) == ((), ())
