"""Bombs in backups and archives are named, in little memory, and no verdict is made of them."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.bombs import (
    TARS,
    write_tar,
    xz_with_a_dictionary_of_gigabytes,
    zstd_with_a_window_of_gigabytes,
)
from tests.fix_check import Archived
from tests.integration.test_hostile_files import measured

PEAK_MIB = 300


def packed(backup: Path, *names: str) -> bytes:
    """Members of a tar, without its end."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name in names:
            tar.add(backup / name, name)
        size = tar.offset
    return data.getvalue()[:size]


QUICK = ("a pax header", "headers of headers", "members named like ours", "an end without end")


@pytest.mark.parametrize(
    "bomb", [each if each in QUICK else pytest.param(each, marks=pytest.mark.slow) for each in TARS]
)
def test_a_bomb_in_a_tar_is_named(archived: Archived, tmp_path: Path, bomb: str) -> None:
    backup, tar = archived.backup, tmp_path / "base.tar.gz"
    rest = sorted({each.name for each in backup.iterdir()} - {"backup_label"})
    write_tar(tar, packed(backup, "backup_label"), TARS[bomb], packed(backup, *rest) + bytes(1024))
    checked = measured("--archive", archived.archive, "--backup", tar, "--depth", "names",
                       "--format", "json", most_mib=PEAK_MIB)  # fmt: skip
    told = checked.out + checked.err
    assert checked.status == 3, told
    assert "not read" in told and "this is a bug" not in told
    assert checked.json["restorable"] is None


def test_a_dictionary_of_gigabytes_is_not_made(archived: Archived, tmp_path: Path) -> None:
    """xz would make it and zstd refuses: so do we, and say which."""
    segment = archived.segments[-2]
    data = segment.read_bytes()
    segment.unlink()
    for suffix, pack, status, said in (
        (".xz", xz_with_a_dictionary_of_gigabytes, 3, "more than 128 MiB of memory"),
        (".zst", zstd_with_a_window_of_gigabytes, 2, "zstd: "),
    ):
        stored = segment.with_name(segment.name + suffix)
        stored.write_bytes(pack(data))
        checked = measured("--archive", archived.archive, "--backup", archived.backup, "--format",
                           "json", most_mib=PEAK_MIB)  # fmt: skip
        told = checked.out + checked.err
        assert checked.status == status, told
        assert segment.name in told and said in told
        stored.unlink()


def test_directories_deeper_than_a_path(archived: Archived) -> None:
    for place in (archived.backup, archived.archive):
        here = os.open(place, os.O_RDONLY)
        for _ in range(3000):
            os.mkdir("deep", dir_fd=here)
            there = os.open("deep", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = there
        os.close(here)
    checked = measured("--archive", archived.archive, "--backup", archived.backup, "--depth",
                       "names", "--format", "json", most_mib=PEAK_MIB)  # fmt: skip
    subprocess.run(["rm", "-rf", archived.backup / "deep", archived.archive / "deep"], check=True)
    told = checked.out + checked.err
    assert "this is a bug" not in told
    assert checked.status == 3, told
