"""What an honest backup may hold is read, however large."""

from __future__ import annotations

import gzip
import tarfile
from pathlib import Path

import pytest

from agent.backups.tar_contents import Contents

FILES = 1_000_000
ENTRY = (
    '{ "Path": "base/16384/1234567", "Size": 1073741824, "Last-Modified": '
    f'"2026-11-20 10:00:00 GMT", "Checksum-Algorithm": "SHA512", "Checksum": "{"0" * 128}" }},\n'
)


@pytest.mark.slow
def test_a_manifest_of_a_million_files_with_sha512(tmp_path: Path) -> None:
    info = tarfile.TarInfo("backup_manifest")
    info.size = FILES * len(ENTRY)
    piece = ENTRY.encode() * 10_000
    tar = tmp_path / "base.tar.gz"
    with gzip.open(tar, "wb", compresslevel=1) as packed:
        packed.write(info.tobuf())
        for _ in range(FILES // 10_000):
            packed.write(piece)
        packed.write(bytes(-info.size % 512 + 1024))
    contents = Contents(tar)
    contents.read(tar, "")
    assert (contents.unread, contents.broken) == ([], [])
    assert contents.manifest is not None
    assert sum(map(len, contents.manifest[1].blocks())) == info.size
