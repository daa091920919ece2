"""Members of a tar that are no files, under every name that is read: unknown, by name, at once."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fix_check import Archived
from tests.integration.test_hostile_files import measured

Spoil = Callable[[tarfile.TarInfo], None]
NAMES = (
    "backup_label", "backup_manifest", "global/pg_control", "PG_VERSION", "postgresql.conf",
    "postgresql.auto.conf", "base/1/1259",
)  # fmt: skip


def as_kind(kind: bytes, linked: str = "") -> Spoil:
    def spoil(info: tarfile.TarInfo) -> None:
        info.type, info.linkname, info.size = kind, linked, 0

    return spoil


KINDS = {
    "a named pipe": as_kind(tarfile.FIFOTYPE),
    "a device": as_kind(tarfile.CHRTYPE),
    "a directory": as_kind(tarfile.DIRTYPE),
    "a symbolic link": as_kind(tarfile.SYMTYPE, "/etc/shadow"),
    "a hard link": as_kind(tarfile.LNKTYPE, "postmaster.opts"),
    "something else": as_kind(b"Z"),
}
# Every kind under the first name, and every name with the first kind.
MEMBERS = [
    pytest.param(
        name, kind, marks=() if name == NAMES[0] or kind == "a named pipe" else pytest.mark.campaign
    )
    for name in NAMES
    for kind in KINDS
]


def pack(backup: Path, tar: Path, spoiled: str, spoil: Spoil) -> None:
    """A data directory in one tar, its manifest in it."""
    with tarfile.open(tar, "w") as packed:
        for path in sorted(backup.rglob("*")):
            name = str(path.relative_to(backup))
            info = packed.gettarinfo(path, name)
            data = path.read_bytes() if info.isreg() else b""
            if name == spoiled:
                spoil(info)
                data = b""
            packed.addfile(info, io.BytesIO(data))


@pytest.mark.parametrize(("name", "kind"), MEMBERS)
def test_a_member_that_is_no_file_is_unreadable(
    archived: Archived, tmp_path: Path, kind: str, name: str
) -> None:
    tar = tmp_path / "packed.tar"
    pack(archived.backup, tar, name, KINDS[kind])
    checked = measured("--archive", archived.archive, "--backup", tar, "--format", "json",
                       "--depth", "names", "--backup-depth", "checksums")  # fmt: skip
    told = checked.out + checked.err
    assert checked.status == 3, told
    assert name in told and kind in told
    assert "(absent)" not in told and "this is a bug" not in told


@pytest.mark.parametrize(
    "header", [{"GNU.sparse.map": "hunter2"}, {"GNU.sparse.size": "hunter2"}], ids=str
)
def test_a_header_of_nonsense_breaks_the_tar_there(
    archived: Archived, tmp_path: Path, header: dict[str, str]
) -> None:
    """Python's tarfile has a ValueError for it, that quotes it."""

    def spoil(info: tarfile.TarInfo) -> None:
        info.pax_headers, info.size = header, 0

    tar = tmp_path / "packed.tar"
    pack(archived.backup, tar, "global/pg_control", spoil)
    checked = measured("--archive", archived.archive, "--backup", tar, "--depth", "names")
    told = checked.out + checked.err
    assert checked.status == 2, told
    assert "a header that no tar has, after global/" in told
    assert "hunter2" not in told and "this is a bug" not in told


def test_the_same_tar_with_nothing_spoiled_is_sound(archived: Archived, tmp_path: Path) -> None:
    tar = tmp_path / "packed.tar"
    pack(archived.backup, tar, "nothing", KINDS["a device"])
    checked = measured("--archive", archived.archive, "--backup", tar, "--format", "json",
                       "--depth", "names", "--backup-depth", "checksums")  # fmt: skip
    assert checked.status == 0, checked.out + checked.err
