"""Faults put into real WAL: one place in one segment of an archive."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path

from parsers.wal.crc import crc32c
from parsers.wal.facts import Transaction
from tests.landmarks import Landmarks

_PAGE = 8192


def set_time(
    archive: Path, timeline: int, transaction: Transaction, time_us: int, landmarks: Landmarks
) -> None:
    """Rewrite one record that lies whole on a page, with its checksum."""
    if transaction.lsn // _PAGE != (transaction.end_lsn - 1) // _PAGE:
        return
    for name in landmarks.segments:
        data = bytearray((archive / name).read_bytes())
        size = len(data)
        offset = transaction.lsn % size
        names = int(name[8:16], 16) * (0x1_0000_0000 // size) + int(name[16:], 16)
        if names != transaction.lsn // size or int(name[:8], 16) < timeline:
            continue
        (length,) = struct.unpack_from("<I", data, offset)
        old = struct.pack("<q", transaction.time_us)
        at = data.find(old, offset + 24, offset + length)
        if at < 0:
            continue
        struct.pack_into("<q", data, at, time_us)
        crc = crc32c(
            bytes(data[offset : offset + 20]), crc32c(bytes(data[offset + 24 : offset + length]))
        )
        struct.pack_into("<I", data, offset + 20, crc)
        (archive / name).write_bytes(data)


# -- faults ---------------------------------------------------------------------------------------

Fault = Callable[[Path, random.Random], None]


def remove(path: Path, rng: random.Random) -> None:
    path.unlink()


def truncate(path: Path, rng: random.Random) -> None:
    rewrite(path, path.read_bytes()[: rng.randrange(len(path.read_bytes()))])


def lengthen(path: Path, rng: random.Random) -> None:
    data = path.read_bytes()
    rewrite(path, data + bytes(rng.choice((1, _PAGE, len(data)))))


def zero_tail(path: Path, rng: random.Random) -> None:
    data = path.read_bytes()
    keep = rng.randrange(len(data) // 4)
    rewrite(path, data[:keep] + bytes(len(data) - keep))


def flip_byte(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    used = len(bytes(data).rstrip(b"\0"))
    data[rng.randrange(used)] ^= 0xFF
    rewrite(path, bytes(data))


def foreign_system(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[24] ^= 0x55
    rewrite(path, bytes(data))


def another_segment(path: Path, rng: random.Random) -> None:
    """Overwrite it with a neighbour's content."""
    others = sorted(other for other in path.parent.iterdir() if len(other.name) == 24)
    others.remove(path)
    rewrite(path, rng.choice(others).read_bytes())


FAULTS: tuple[Fault, ...] = (
    remove, truncate, lengthen, zero_tail, flip_byte, foreign_system, another_segment,
)  # fmt: skip


def rewrite(path: Path, data: bytes) -> None:
    """Write anew: the file may be a hard link to a healthy archive's."""
    path.unlink()
    path.write_bytes(data)
