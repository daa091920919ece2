"""Unpacking gives the same on a Python that has no tarfile filters."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from tests.unpack import unpack_tar

SAMPLE = Path(__file__).parent / "data" / "archives" / "good_15.tar.xz"


def tree(directory: Path) -> list[tuple[str, int, bytes | None]]:
    """Every path, its owner and its content."""
    return [
        (
            str(path.relative_to(directory)),
            path.stat().st_uid,
            path.read_bytes() if path.is_file() else None,
        )
        for path in sorted(directory.rglob("*"))
    ]


def test_without_filters_the_same_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpack_tar(SAMPLE, tmp_path / "here")
    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    unpack_tar(SAMPLE, tmp_path / "bare")
    assert tree(tmp_path / "here") == tree(tmp_path / "bare") != []
    assert {uid for _, uid, _ in tree(tmp_path / "bare")} == {os.geteuid()}
