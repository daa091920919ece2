"""A backup without its label, and one made ready: nothing untrue beside what is true."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from agent.backups.plain import read_backup
from agent.cli.check import main
from tests.unpack import unpack_tar

ARCHIVE = Path(__file__).parents[2] / "data" / "archives" / "good_15.tar.xz"


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    unpack_tar(ARCHIVE, tmp_path)
    return tmp_path


def checked(directory: Path, *options: str) -> dict[str, Any]:
    """What pitr-check says of the backup in it."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        main([
            "--archive", str(directory / "archive"), "--backup", str(directory / "backup"),
            "--format", "json", *options,
        ])  # fmt: skip
    found: dict[str, Any] = json.loads(printed.getvalue())
    return found


def ids(document: dict[str, Any]) -> set[str]:
    return {finding["id"] for finding in document["findings"]}


def test_without_its_label(unpacked: Path) -> None:
    (unpacked / "backup" / "backup_label").unlink()
    document = checked(unpacked)
    assert "backup_without_label" in ids(document)
    assert not {"backup_from_standby", "backup_wal_unusable", "backup_wal_missing"} & ids(document)
    assert "0/0" not in json.dumps(document["findings"])


@pytest.mark.parametrize("prepared", [False, True])
def test_prepared_with_the_settings_that_were_printed(unpacked: Path, prepared: bool) -> None:
    backup = unpacked / "backup"
    with (backup / "postgresql.auto.conf").open("a") as file:
        file.write(f"archive_mode = 'off'\nrestore_command = 'cp {unpacked}/archive/%f %p'\n")
    if prepared:
        (backup / "recovery.signal").touch()
    assert ("archiving_off" in ids(checked(unpacked))) is not prepared


@pytest.mark.parametrize(
    ("typed", "refused"),
    [
        ("2026-11-22T12:46:50Z", True),
        ("2026-11-22 12:46:50,5+00", True),
        ("2026-11-22 12:46:50 MSK", True),
        ("2026-11-22 12:46:50+00", False),
        ("2026-11-22T12:46:50+00:00", False),
        ("Nov 22 12:46:50 2026 UTC", False),
        ("20261122T124650", False),
    ],
)
def test_a_time_that_no_server_takes_is_told(unpacked: Path, typed: str, refused: bool) -> None:
    document = checked(unpacked, "--target-time", typed)
    told = [each for each in document["findings"] if each["id"] == "target_not_a_setting"]
    assert [each["severity"] for each in told] == (["info"] if refused else [])


@pytest.mark.parametrize(("version", "major"), [(b"15.2\n", 15), (b" +15 \n", 15), (b"x\n", None)])
def test_a_version_is_the_number_that_it_begins_with(
    unpacked: Path, version: bytes, major: int | None
) -> None:
    """As the server reads it; what is wrong with PG_VERSION is not said of tablespace_map."""
    (unpacked / "backup" / "PG_VERSION").write_bytes(version)
    (unpacked / "backup" / "tablespace_map").write_bytes(b"16999\n")
    backup = read_backup(unpacked / "backup", "label")
    assert backup.major == major
    broken = "tablespace_map (line 1: expected an OID, one space and a path)"
    assert [*backup.bad_files] == [broken] + ["PG_VERSION (holds no number)"] * (major is None)


def test_the_name_of_the_segment_in_a_label_counts_for_nothing(unpacked: Path) -> None:
    label = unpacked / "backup" / "backup_label"
    before = checked(unpacked)["backups"][0]["start_segment"]
    label.write_bytes(label.read_bytes().replace(before.encode(), before[:8].encode() + b"7" * 16))
    assert checked(unpacked)["backups"][0]["start_segment"] == before
