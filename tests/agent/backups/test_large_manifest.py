"""A manifest of ten million files: gone through in little memory, wherever it lies."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.backups import files
from agent.backups.kept import Kept
from parsers.errors import ParseError
from parsers.files.backup_manifest import parse_backup_manifest, parse_manifest_blocks
from tests.parsers.test_formats import make_manifest

FILES = 10_000_000
MOST_MIB = 300
_RANGE = b'{ "Timeline": 1, "Start-LSN": "0/2000028", "End-LSN": "0/2000100" }'
_READ = """\
import resource, sys
from pathlib import Path
from agent.backups.describe import keep_manifest
from parsers.files.backup_manifest import parse_manifest_blocks

kept, error = keep_manifest(Path(sys.argv[1]))
assert kept is not None, error
files = parse_manifest_blocks(kept.blocks).files
print(len(files), files.total_bytes, sum(1 for _ in zip(files, range(9))))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
"""


def manifest_of(count: int) -> Iterator[bytes]:
    """As a server writes it; each file of one byte, with a checksum like no other's."""
    digest = hashlib.sha256()
    for block in _lines(count):
        digest.update(block)
        yield block
    yield b'"Manifest-Checksum": "' + digest.hexdigest().encode() + b'"}\n'


def _lines(count: int) -> Iterator[bytes]:
    yield b'{ "PostgreSQL-Backup-Manifest-Version": 1,\n"Files": [\n'
    for first in range(0, count, 10_000):
        lines = (
            b'{ "Path": "base/%d/%d", "Size": 1, "Last-Modified": "2026-01-02 03:04:05 GMT", '
            b'"Checksum-Algorithm": "CRC32C", "Checksum": "%08x" }'
            % (number // 1000, number, number * 2654435761 % (1 << 32))
            for number in range(first, min(first + 10_000, count))
        )
        yield (b",\n" if first else b"") + b",\n".join(lines)
    yield b'\n],\n"WAL-Ranges": [\n' + _RANGE + b"\n],\n"


@pytest.mark.campaign
def test_ten_million_files(tmp_path: Path) -> None:
    with (tmp_path / "backup_manifest").open("wb") as file:
        file.writelines(manifest_of(FILES))
    done = subprocess.run(
        [sys.executable, "-c", _READ, tmp_path], capture_output=True, text=True, check=False
    )
    (tmp_path / "backup_manifest").unlink()
    assert not done.stderr
    count, total, again, peak_mib = map(int, done.stdout.split())
    assert (count, total, again) == (FILES, FILES, 9)
    assert peak_mib < MOST_MIB


@pytest.mark.parametrize("count", [1, 3, 200_000])
def test_what_is_kept_comes_back_as_often_as_it_is_asked_for(count: int) -> None:
    data = b"".join(manifest_of(count))
    kept = Kept(io.BytesIO(data).read)
    assert b"".join(kept.blocks()) == b"".join(kept.blocks()) == data
    assert kept.sha256 == hashlib.sha256(data).hexdigest()
    listed = parse_manifest_blocks(kept.blocks).files
    assert [file.path for file in listed] == [f"base/{n // 1000}/{n}" for n in range(count)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 4096])
def test_blocks_may_end_anywhere(size: int) -> None:
    data = make_manifest().replace(b"PG_VERSION", "PG_VERSION_é_𝄞".encode())
    body = data[: data.rindex(b'"Manifest-Checksum"')]
    data = body + b'"Manifest-Checksum": "%b"}\n' % hashlib.sha256(body).hexdigest().encode()
    whole = parse_backup_manifest(data)
    parts = parse_manifest_blocks(lambda: (data[n : n + size] for n in range(0, len(data), size)))
    assert [*parts.files] == [*whole.files] and parts.wal_ranges == whole.wal_ranges


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"Files": [}', b'{"Files": [1]}', b'{"Files": {}}', b'{"Files": []} x',
     b'{"Files": [], "Files": []}', b'{"Files": [] "a": 1}', b'{"a": 1}', b"{\xff}",
     b'{"Files": [{"Path": "' + b"a" * (9 << 20), b"[" * 100_000, b'{"Files": [' + b"[" * 100_000],
)  # fmt: skip
def test_what_is_no_manifest_is_refused(body: bytes) -> None:
    sealed = body + b'\n"Manifest-Checksum": "%b"}\n' % (
        hashlib.sha256(body + b"\n").hexdigest().encode()
    )
    for data in (body, sealed):
        with pytest.raises(ParseError):
            parse_backup_manifest(data)


def test_files_that_are_not_there_are_named_up_to_a_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = parse_backup_manifest(b"".join(manifest_of(50)))
    monkeypatch.setattr(files, "_MOST_NAMED", 20)
    bad = files.compare_files(tmp_path, manifest, checksums=False).bad
    assert bad[0] == "base/0/0 (absent)" and len(bad) == 21 and bad[-1] == "30 more files"
