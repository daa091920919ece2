"""Files that are small and grow without end where somebody reads them carelessly."""

from __future__ import annotations

import gzip
import io
import lzma
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from backports import zstd

from agent.backups.describe import MANIFEST_BYTES

LARGE_BYTES = 400 << 20  # in memory, more than anybody allows
_PIECE = bytes(1 << 20)


def _header(kind: bytes, name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def _zeros(size: int) -> Iterator[bytes]:
    for _ in range(size >> 20):
        yield _PIECE


def a_name_without_end(kind: bytes) -> Iterator[bytes]:
    yield _header(kind, "././@LongLink", LARGE_BYTES)
    yield from _zeros(LARGE_BYTES)


def headers_of_headers() -> Iterator[bytes]:
    for _ in range(20_000):
        yield _header(tarfile.GNUTYPE_LONGNAME, "././@LongLink", 2) + b"a\0".ljust(512, b"\0")


def headers_for_all_members() -> Iterator[bytes]:
    for number in range(200):
        text = f"key{number}=".encode() + b"v" * 500_000 + b"\n"
        record = str(len(text) + 7).encode() + b" " + text
        yield _header(tarfile.XGLTYPE, "g", len(record)) + record + bytes(-len(record) % 512)
        yield _header(tarfile.REGTYPE, f"file{number}", 0)


def a_map_of_holes() -> Iterator[bytes]:
    """GNU's old format of sparse files, whose map goes on in any number of blocks."""
    yield _with(_header(tarfile.GNUTYPE_SPARSE, "base/1/1", 0), 482, b"\1")
    for _ in range(1 << 17):
        yield (b"00000000001\0" * 42).ljust(504, b"\0") + b"\1" + bytes(7)


def _with(header: bytes, at: int, value: bytes) -> bytes:
    changed = header[:at] + value + header[at + len(value) : 512]
    total = sum(changed[:148]) + sum(b" " * 8) + sum(changed[156:])
    return changed[:148] + f"{total:06o}\0 ".encode() + changed[156:]


def members_named_like_ours() -> Iterator[bytes]:
    """Labels, manifests and settings, at any depth."""
    for number in range(100):
        for name in ("backup_label", "backup_manifest", "postgresql.conf", "global/pg_control"):
            yield _header(tarfile.REGTYPE, f"{'d/' * (number % 20)}{number}/{name}", 1 << 20)
            yield _PIECE


def a_manifest_larger_than_any() -> Iterator[bytes]:
    size = MANIFEST_BYTES + (1 << 20)
    yield _header(tarfile.REGTYPE, "backup_manifest", size)
    yield from _zeros(size)


TARS: dict[str, Callable[[], Iterator[bytes]]] = {
    "a long name": lambda: a_name_without_end(tarfile.GNUTYPE_LONGNAME),
    "a long link": lambda: a_name_without_end(tarfile.GNUTYPE_LONGLINK),
    "a pax header": lambda: a_name_without_end(tarfile.XHDTYPE),
    "a pax header for all": lambda: a_name_without_end(tarfile.XGLTYPE),
    "headers of headers": headers_of_headers,
    "headers for all members": headers_for_all_members,
    "a map of holes": a_map_of_holes,
    "members named like ours": members_named_like_ours,
    "a manifest larger than any": a_manifest_larger_than_any,
    "an end without end": lambda: _zeros(LARGE_BYTES),
}


def write_tar(path: Path, before: bytes, bomb: Callable[[], Iterator[bytes]], after: bytes) -> None:
    """A tar with the bomb between members that are sound, compressed: some megabytes."""
    with gzip.open(path, "wb", compresslevel=1) as packed:
        packed.write(before)
        for piece in bomb():
            packed.write(piece)
        packed.write(after)


def xz_with_a_dictionary_of_gigabytes(data: bytes) -> bytes:
    """Its block header asks for 1.5 GiB."""
    stream = bytearray(lzma.compress(data, preset=0))
    end = 12 + (stream[12] + 1) * 4
    stream[16] = 38
    stream[end - 4 : end] = struct.pack("<I", zlib.crc32(bytes(stream[12 : end - 4])))
    return bytes(stream)


def zstd_with_a_window_of_gigabytes(data: bytes) -> bytes:
    option = zstd.CompressionParameter.window_log
    packed = io.BytesIO()
    with zstd.ZstdFile(packed, "w", options={option: 31}) as file:
        file.write(data)
    return packed.getvalue()
