"""A segment that is stored as it is, read piece by piece into one small buffer.

For the compiled engine alone, and only for what is sound: anything else is read whole, and judged
as ever. A segment that was switched early is not read beyond the page after its switch.
"""

from __future__ import annotations

import collections
import os
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from agent.archive.codecs import HEAD_BYTES, cipher_of, codec_of
from agent.store.local import open_file
from parsers.wal.scan import PIECE_BYTES, SegmentScan, scan_pieces

if TYPE_CHECKING:
    from parsers.wal.journal import JournalWanted


class _Buffer(threading.local):
    """One for each thread, kept: what is freed is asked of the system again, page by page."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(PIECE_BYTES))


_buffer = _Buffer()


def scan_in_pieces(
    path: str,
    timeline: int,
    number: int,
    segment_size: int,
    digest: Callable[[memoryview], None] | None,
    journal: JournalWanted | None = None,
) -> SegmentScan | None:
    """Scan a file of a segment's size; None: it has to be read whole. Raises OSError.

    `digest` is given all the bytes, in order, and then the file is read to its end.
    """
    with open_file(path) as file:
        descriptor = file.fileno()
        if os.fstat(descriptor).st_size != segment_size:
            return None
        pieces = _pieces(descriptor, segment_size, path, digest)
        try:
            scan = scan_pieces(
                pieces,
                name_timeline=timeline,
                segment_number=number,
                segment_size=segment_size,
                journal=journal,
            )
            if scan is not None and digest is not None:
                collections.deque(pieces, maxlen=0)
        except _NotPlain:
            return None
        return scan


class _NotPlain(Exception):
    """Cut short while it was read, compressed or encrypted."""


def _pieces(
    descriptor: int, segment_size: int, path: str, digest: Callable[[memoryview], None] | None
) -> Iterator[memoryview]:
    view = _buffer.view
    for at in range(0, segment_size, PIECE_BYTES):
        piece = view[: min(PIECE_BYTES, segment_size - at)]
        filled = 0
        while filled < len(piece):
            read = os.preadv(descriptor, [piece[filled:]], at + filled)
            if not read:
                raise _NotPlain
            filled += read
        if not at:
            head = bytes(piece[:HEAD_BYTES])
            if cipher_of(head, path) or codec_of(head, path):
                raise _NotPlain
        if digest is not None:
            digest(piece)
        yield piece
