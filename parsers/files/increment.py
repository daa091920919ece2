"""The head of a file that has only the blocks that changed: INCREMENTAL.*, and WAL-G's.

The blocks follow in the order of their numbers in the head. Follows reconstruct.c of
src/bin/pg_combinebackup (17 and later) and internal/databases/postgres/incremental_page_reader.go
of WAL-G.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from parsers.errors import ParseError
from parsers.sentences import tr

BLOCK_BYTES: Final = 8192
FIXED_BYTES: Final = 16  # of the longer head; the shorter one's is 12
_POSTGRES_MAGIC: Final = 0xD3AE1F0D
_WALG_MAGIC: Final = b"wi1U"
_MOST_BLOCKS: Final = 1 << 24


class Increment(NamedTuple):
    """What a head says."""

    file_bytes: int  # the file is cut or filled up with zeros to this before blocks are written
    blocks_at: int  # where the numbers of the blocks begin
    block_count: int
    data_at: int  # where the blocks begin


def parse_increment(head: bytes) -> Increment:
    """Read the first `FIXED_BYTES` of such a file, or fewer where it is shorter. Raises ParseError.

    >>> parse_increment(b"wi1U" + (8192).to_bytes(8, "little") + (1).to_bytes(4, "little"))
    Increment(file_bytes=8192, blocks_at=16, block_count=1, data_at=20)
    """
    try:
        if head.startswith(_WALG_MAGIC):
            size, count = struct.unpack_from("<QI", head, 4)
            numbers_at, data_at = 16, 16 + 4 * count
        else:
            magic, count, blocks = struct.unpack_from("<III", head)
            if magic != _POSTGRES_MAGIC:
                raise ParseError(
                    tr("{magic:08X} is the magic of no increment", magic=magic), offset=0
                )
            size, numbers_at, data_at = blocks * BLOCK_BYTES, 12, 12 + 4 * count
            if count:  # then the blocks begin at a whole one
                data_at += -data_at % BLOCK_BYTES
    except struct.error:
        raise ParseError(tr("an increment that is cut short"), offset=len(head)) from None
    if count > _MOST_BLOCKS or size > _MOST_BLOCKS * BLOCK_BYTES:
        raise ParseError(tr("an increment of more blocks than a file has"), offset=4)
    return Increment(size, numbers_at, count, data_at)
