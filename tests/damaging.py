"""Faults put into real WAL: one place in one segment of an archive."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path

from parsers.wal_crc import crc32c
from parsers.wal_facts import Transaction
from tests.landmarks import Landmarks

_PAGE = 8192


def set_times(archive: Path, landmarks: Landmarks, rng: random.Random) -> None:
    """Let the clock step: give some transactions an earlier time, in WAL that stays valid."""
    for timeline, transactions in landmarks.transactions.items():
        for each in rng.sample(transactions, min(3, len(transactions))):
            moved = each.time_us - rng.choice((1, 200_000, 3_600_000_000))
            set_time(archive, timeline, each, moved, landmarks)


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
    _rewrite(path, path.read_bytes()[: rng.randrange(len(path.read_bytes()))])


def zero_tail(path: Path, rng: random.Random) -> None:
    data = path.read_bytes()
    keep = rng.randrange(len(data) // 4)
    _rewrite(path, data[:keep] + bytes(len(data) - keep))


def flip_byte(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    used = len(bytes(data).rstrip(b"\0"))
    data[rng.randrange(used)] ^= 0xFF
    _rewrite(path, bytes(data))


def foreign_system(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[24] ^= 0x55
    _rewrite(path, bytes(data))


def another_segment(path: Path, rng: random.Random) -> None:
    """Overwrite it with a neighbour's content."""
    others = sorted(other for other in path.parent.iterdir() if len(other.name) == 24)
    others.remove(path)
    _rewrite(path, rng.choice(others).read_bytes())


FAULTS: tuple[Fault, ...] = (
    remove, truncate, zero_tail, flip_byte, foreign_system, another_segment,
)  # fmt: skip


def _rewrite(path: Path, data: bytes) -> None:
    """Write anew: the file may be a hard link to a healthy archive's."""
    path.unlink()
    path.write_bytes(data)
