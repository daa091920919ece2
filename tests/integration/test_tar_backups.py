"""Base backups in tar format, read as streams, held to the same backup unpacked by tar."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agent.backups.describe import NotABackup
from agent.backups.find import read_any_backup, read_backups
from agent.backups.plain import read_backup
from rules.model.facts import BackupFacts, BackupTablespace
from tests.fix_check import pitr_check
from tests.fix_layouts import COMPRESS, DeadPrimary, compress_file


@pytest.fixture
def tar(dead_primary: DeadPrimary, tmp_path: Path) -> Path:
    """A tar backup of one's own, to break."""
    return Path(shutil.copytree(dead_primary.tar, tmp_path / "tar"))


def unpack(backup: Path, oid: int, into: Path) -> Path:
    """The plain backup that tar makes of one, as the manual says to unpack it."""
    for name, where in (
        ("base", into), (str(oid), into / "pg_tblspc" / str(oid)), ("pg_wal", into / "pg_wal"),
    ):  # fmt: skip
        where.mkdir(parents=True, exist_ok=True)
        subprocess.run(["tar", "xf", backup / f"{name}.tar", "-C", where], check=True)
    shutil.copy(backup / "backup_manifest", into)
    return into


def what_it_says(facts: BackupFacts) -> BackupFacts:
    """Without the places where it lies; tar's files lie in pg_tblspc when they are unpacked so."""
    spaces = tuple(space._replace(filled=False) for space in facts.tablespaces)
    assert facts.settings is not None
    settings = {
        name: replace(setting, read_from=setting.read_from.rpartition("/")[2])
        for name, setting in facts.settings.settings.items()
    }
    read = replace(facts.settings, settings=settings, of_backup="")
    return replace(facts, url="", wal_files={}, tablespaces=spaces, settings=read)


@pytest.mark.parametrize("suffix", ["", *COMPRESS])
def test_a_tar_says_what_it_says_unpacked(
    tar: Path, dead_primary: DeadPrimary, tmp_path: Path, suffix: str
) -> None:
    plain = unpack(tar, dead_primary.tablespace, tmp_path / "plain")
    if suffix:
        for path in list(tar.glob("*.tar")):
            compress_file(path, suffix)
    for depth in ("files", "checksums", "pages"):
        expected, found = read_backup(plain, depth), read_any_backup(tar, depth)
        assert what_it_says(found) == what_it_says(expected)
        assert found.bad_files == () and found.files_checked and found.wal
    label = read_any_backup(tar, "label")
    assert (label.label, label.depth, label.bad_files) == (expected.label, "label", ())
    assert read_any_backup(tar / f"base.tar{suffix}", "files").label == expected.label


def _cut_base(tar: Path) -> None:
    path = tar / "base.tar"
    os.truncate(path, path.stat().st_size // 2)


def _cut_compressed(tar: Path) -> None:
    path = compress_file(tar / "base.tar", ".gz")
    os.truncate(path, path.stat().st_size // 2)


def _cut_in_a_header(tar: Path) -> None:
    path = tar / "base.tar"
    os.truncate(path, path.stat().st_size // 1024 * 1024 // 2 + 100)


def _garble_a_header(tar: Path) -> None:
    """Without a manifest nothing else tells of the files after it."""
    _put_for_a_header(tar, b"x" * 512)


def _a_block_of_zeros(tar: Path) -> None:
    """tar, and every other reader, takes it for the end."""
    _put_for_a_header(tar, bytes(512))


def _half_a_page_of_zeros(tar: Path) -> None:
    _put_for_a_header(tar, bytes(4096))


def _put_for_a_header(tar: Path, data: bytes) -> None:
    at = _header_of_the_last_but_eight(tar)
    with (tar / "base.tar").open("r+b") as file:
        file.seek(at)
        file.write(data)


def _header_of_the_last_but_eight(tar: Path) -> int:
    (tar / "backup_manifest").unlink()
    with tarfile.open(tar / "base.tar") as whole:
        return whole.getmembers()[-9].offset


def _cut_between_files(tar: Path) -> None:
    os.truncate(tar / "base.tar", _header_of_the_last_but_eight(tar))


def _garble_the_checksum(tar: Path) -> None:
    """Of a tar padded as GNU tar does: it ends at a whole record, before the checksum is read."""
    path = tar / "base.tar"
    os.truncate(path, -(-path.stat().st_size // 10240) * 10240)
    path = compress_file(path, ".gz")
    data = path.read_bytes()
    path.write_bytes(data[:-8] + bytes(4) + data[-4:])


def _drop_tablespace(tar: Path) -> None:
    next(tar.glob("[1-9]*.tar")).unlink()


def _drop_tablespace_and_manifest(tar: Path) -> None:
    _drop_tablespace(tar)
    (tar / "backup_manifest").unlink()


def _not_a_tar(tar: Path) -> None:
    next(tar.glob("[1-9]*.tar")).write_bytes(b"nothing of the kind" * 100)


@pytest.mark.parametrize(
    ("breaking", "first"),
    [
        (_cut_base, "base.tar (unexpected end of data"),
        (_cut_compressed, "base.tar.gz (its gzip stream is cut short"),
        (_cut_in_a_header, "base.tar ("),
        (_garble_a_header, "base.tar (a header that no tar has, after "),
        (_a_block_of_zeros, "base.tar (something follows its end, after "),
        (_half_a_page_of_zeros, "base.tar (something follows its end, after "),
        (_cut_between_files, "base.tar (unexpected end of data, after "),
        (_garble_the_checksum, "base.tar.gz (gzip: CRC check failed"),
        (_drop_tablespace, "{oid}.tar (absent)"),
        (_drop_tablespace_and_manifest, "{oid}.tar (absent)"),
        (_not_a_tar, "{oid}.tar ("),
    ],
)
def test_a_tar_that_is_not_whole_is_not_restorable(
    tar: Path, dead_primary: DeadPrimary, breaking: Callable[[Path], None], first: str
) -> None:
    breaking(tar)
    facts = read_any_backup(tar, "files")
    assert facts.bad_files[0].startswith(first.format(oid=dead_primary.tablespace))
    checked = pitr_check("--archive", dead_primary.archive, "--backup", tar, "--format", "json")
    assert (checked.status, checked.json["restorable"]) == (2, False)
    assert "backup_files_bad" in checked.findings


def test_a_tablespace_in_place_has_a_tar_and_no_line_in_the_map(
    tar: Path, dead_primary: DeadPrimary
) -> None:
    """Unpacked into pg_tblspc itself, it is a directory there that the server does not take."""
    there = dead_primary.tablespace
    shutil.copy(tar / f"{there}.tar", tar / "99999.tar")
    spaces = {each.oid: each for each in read_any_backup(tar, "files").tablespaces}
    assert spaces[there].mapped
    assert spaces[99999] == BackupTablespace(99999, None, filled=True)
    unread = read_any_backup(tar, "label").tablespaces
    assert not unread, "the map was not read: nothing is known of any"


def test_a_changed_byte_in_a_member_shows_at_depth_checksums(tar: Path) -> None:
    path = tar / "base.tar"
    data = bytearray(path.read_bytes())
    at = data.index(b"# PostgreSQL Client Authentication Configuration File")
    data[at + 2] ^= 1
    path.write_bytes(data)
    assert read_any_backup(tar, "files").bad_files == ()
    assert read_any_backup(tar, "checksums").bad_files == ("pg_hba.conf (SHA256 differs)",) or (
        read_any_backup(tar, "checksums").bad_files == ("pg_hba.conf (CRC32C differs)",)
    )


@pytest.mark.parametrize("folder", [".", "backup_base", "a/b"])
def test_a_plain_backup_that_somebody_packed(
    dead_primary: DeadPrimary, tmp_path: Path, folder: str
) -> None:
    """`tar czf base.tar.gz …` of pg_basebackup's directory: manifest and pg_wal are inside."""
    day = tmp_path / "2025" / "07" / "01"
    (tmp_path / "pack" / folder).parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(dead_primary.plain, tmp_path / "pack" / folder, dirs_exist_ok=True)
    day.mkdir(parents=True)
    command = ["tar", "czf", day / "base.tar.gz", "-C", tmp_path / "pack", folder.split("/")[0]]
    subprocess.run(command, check=True)
    expected = read_backup(dead_primary.plain, "checksums")
    found = read_any_backup(day, "checksums")
    assert what_it_says(found) == what_it_says(expected)


def test_the_laboratorys_dated_tree_of_tars_and_wal(
    tar: Path, dead_primary: DeadPrimary, tmp_path: Path
) -> None:
    root = tmp_path / "backup_base"
    for path in list(tar.glob("*.tar")):
        compress_file(path, ".gz")
    shutil.copytree(tar, root / "2025" / "07" / "01")
    for position, path in enumerate(sorted(dead_primary.archive.iterdir())):
        day = root / "2025" / "07" / "wal" / f"{1 + position // 4:02}"
        day.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, day)
    checked = pitr_check("--archive", root, "--backups", root, "--format", "json")
    verdict = checked.json
    assert (checked.status, verdict["restorable"]) == (0, True)
    (backup,) = verdict["backups"]
    assert backup["url"] == str(root / "2025" / "07" / "01")
    assert backup["depth"] == "files" and backup["windows"]


def test_the_wal_that_a_tar_carries_counts(
    tar: Path, dead_primary: DeadPrimary, tmp_path: Path
) -> None:
    """Without the archive's copies of what the backup needs it is still restorable."""
    archive = shutil.copytree(dead_primary.archive, tmp_path / "archive")
    own = read_any_backup(tar, "files").wal
    assert own
    for name in own:
        (archive / name).unlink()
    arguments = ("--archive", archive, "--format", "json", "--backup", tar)
    assert pitr_check(*arguments).json["restorable"] is True
    (tar / "pg_wal.tar").unlink()
    without = pitr_check(*arguments)
    assert without.json["restorable"] is False
    assert "backup_wal_missing" in without.findings


def test_a_tar_without_a_label_is_no_backup(tar: Path, tmp_path: Path) -> None:
    empty = tmp_path / "x"
    empty.mkdir()
    (empty / "PG_VERSION").write_text("16\n")
    subprocess.run(["tar", "cf", tar / "base.tar", "-C", empty, "PG_VERSION"], check=True)
    with pytest.raises(NotABackup, match="no backup_label in it"):
        read_any_backup(tar, "files")
    assert "no backup_label" in read_backups(str(tar.parent)).unreadable[str(tar)]
    other = tmp_path / "notes.txt"
    other.touch()
    assert "is a file, and neither WAL nor a backup's tar" in pitr_check("--backup", other).err


def test_a_tar_backup_without_its_base_is_named_so(tar: Path) -> None:
    (tar / "base.tar").unlink()
    said = f"{tar}: base.tar is missing beside backup_manifest: it cannot be restored"
    with pytest.raises(NotABackup, match=said):
        read_any_backup(tar, "files")
    assert read_backups(str(tar.parent)).unreadable == {str(tar): said}
