"""pgBackRest's block incremental files: the map that says where each block of a file is stored.

Blocks are kept in super blocks, each compressed and encrypted by itself; a block lies in one at its
number times the size of a block. A map names backups by their index in the manifest's references.
Follows src/command/backup/blockMap.c (2.46 and later).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from parsers.errors import ParseError
from parsers.sentences import tr
from parsers.values import dataclass

_MOST_BLOCKS: Final = 1 << 24  # of 8 KiB: more than any file of a cluster has
_LARGEST_BYTES: Final = 1 << 40  # of a super block


class MappedBlock(NamedTuple):
    """One block of a file, in the file's order."""

    reference: int  # index into the manifest's references: the backup that stores it
    bundle: int  # 0: the file is not bundled there
    offset: int  # of its super block, in the bundle or the file
    stored_bytes: int  # of its super block
    size_bytes: int  # of its super block, decoded
    number: int  # in its super block


@dataclass(slots=True)
class _Place:
    """Where the last super block of one reference was."""

    size_bytes: int
    bundle: int = 0
    offset: int = 0
    stored_bytes: int = 0
    number: int = 0
    continues: bool = False


class _Bytes:
    """A position in bytes. What ends too early is a ParseError."""

    def __init__(self, data: bytes) -> None:
        self._data, self.at = data, 0

    def number(self) -> int:
        """A varint: seven bits a byte, the lowest first."""
        value = 0
        for shift in range(0, 70, 7):
            self.skip(1)
            byte = self._data[self.at - 1]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise ParseError(tr("a number of more than 64 bits"), offset=self.at)

    def skip(self, count: int) -> None:
        self.at += count
        if self.at > len(self._data):
            raise ParseError(tr("it is cut short"), offset=len(self._data))


def parse_block_map(data: bytes, block_bytes: int, checksum_bytes: int) -> tuple[MappedBlock, ...]:
    """Read a block map, decrypted. Raises ParseError."""
    read = _Bytes(data)
    if read.number() & 1:
        raise ParseError(tr("a block map of a version that this program does not know"))
    places: dict[int, _Place] = {}
    blocks: list[MappedBlock] = []
    last_stored, is_last_reference = 0, False
    while not is_last_reference:
        encoded = read.number()
        reference, is_last_reference = encoded >> 3, bool(encoded & 1)
        place = _find_place(encoded, places.get(reference), read, block_bytes)
        places[reference] = place
        is_last = False
        while not is_last:
            if place.continues:
                place.continues = False
                is_last, is_partial = bool(encoded & 4), True
            else:
                code = read.number()
                is_last, is_partial = bool(code & 1), bool(code & 4)
                _begin_super_block(place, code, last_stored, read, block_bytes)
            last_stored = place.stored_bytes
            count = _count_blocks(place, is_partial, read, block_bytes)
            if len(blocks) + count > _MOST_BLOCKS:
                raise ParseError(tr("it has more blocks than any file"), offset=read.at)
            read.skip(count * checksum_bytes)
            blocks += [
                MappedBlock(
                    reference, place.bundle, place.offset, place.stored_bytes, place.size_bytes, at
                )
                for at in range(place.number, place.number + count)
            ]
            place.number += count
    return tuple(blocks)


def _find_place(encoded: int, known: _Place | None, read: _Bytes, block_bytes: int) -> _Place:
    """Where the next super block of a reference begins; it may be one that was begun before."""
    if known is None:
        place = _Place(size_bytes=block_bytes)
        if encoded & 2:
            place.bundle = read.number()
        if encoded & 4:
            place.offset = read.number()
        return place
    if encoded & 2:
        known.continues = True
        return known
    known.offset += known.stored_bytes
    if encoded & 4:
        known.offset += read.number()
    known.stored_bytes = 0
    return known


def _begin_super_block(
    place: _Place, code: int, last_stored: int, read: _Bytes, block_bytes: int
) -> None:
    place.offset += place.stored_bytes
    stored = code >> 3
    place.stored_bytes = last_stored + _signed(stored) if last_stored else stored
    if code & 2:
        size = read.number()
        place.size_bytes = (size >> 1) * block_bytes + (read.number() if size & 1 else 0)
    place.number = 0
    if not (0 < place.stored_bytes < _LARGEST_BYTES and 0 < place.size_bytes < _LARGEST_BYTES):
        raise ParseError(tr("a super block of no size that can be"), offset=read.at)


def _count_blocks(place: _Place, is_partial: bool, read: _Bytes, block_bytes: int) -> int:
    if not is_partial:
        return -(-place.size_bytes // block_bytes)
    total = read.number()
    if total & 1:
        place.number += read.number()
    return (total >> 1) + 1


def _signed(number: int) -> int:
    """Zig-zag: 0, -1, 1, -2 …"""
    return (number >> 1) ^ -(number & 1)
