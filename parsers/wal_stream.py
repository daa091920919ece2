"""A segment without its page headers: the records as one stream of bytes, and where each byte lies.

XLogBytePosToRecPtr in src/backend/access/transam/xlog.c does the same arithmetic: a page gives
its size less 24 bytes of header, a segment's first page less 40. A *position* counts payload bytes
from the segment's start; positions and LSNs here are ints or numpy arrays of them alike.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from parsers.wal_page import LONG_HEADER_BYTES, SHORT_HEADER_BYTES

Positions = npt.NDArray[np.int64]
Scalar = TypeVar("Scalar", int, Positions)

_EXTRA: int = LONG_HEADER_BYTES - SHORT_HEADER_BYTES


class Geometry(NamedTuple):
    """Where a segment lies and how it is cut into pages."""

    start_lsn: int
    segment_size: int  # bytes
    page_size: int  # bytes
    pages: int  # whole pages that the buffer really has

    @property
    def payload(self) -> int:
        """Record bytes on a page with a short header."""
        return self.page_size - SHORT_HEADER_BYTES

    @property
    def end_lsn(self) -> int:
        """Where the next segment begins."""
        return self.start_lsn + self.segment_size

    def page_lsn(self, page: int) -> int:
        return self.start_lsn + page * self.page_size

    def position_of_page(self, page: int) -> int:
        """Position of the first record byte on a page."""
        return max(page * self.payload - _EXTRA, 0)

    def positions_of_pages(self, first: int, last: int) -> Positions:
        """The same for the pages first <= page < last."""
        pages = np.arange(first, last, dtype=np.int64)
        return np.maximum(pages * self.payload - _EXTRA, 0)

    def start_lsns(self, positions: Scalar) -> Scalar:
        """LSN of a record that starts at a position: after the header when a page begins there."""
        shifted = positions + _EXTRA
        in_page = SHORT_HEADER_BYTES + shifted % self.payload
        return self.start_lsn + shifted // self.payload * self.page_size + in_page

    def end_lsns(self, positions: Scalar) -> Scalar:
        """LSN of a record's (aligned, positive) end: before the header when a page begins there."""
        return self.start_lsns(positions - 8) + 8


def record_bytes(buffer: memoryview, geometry: Geometry, first: int, last: int) -> bytes:
    """The payload of the pages first <= page < last, joined."""
    size = geometry.page_size
    if first == 0:
        head = bytes(buffer[LONG_HEADER_BYTES:size])
        return head + record_bytes(buffer, geometry, 1, last) if last > 1 else head
    pages = np.frombuffer(buffer[first * size : last * size], np.uint8).reshape(-1, size)
    return pages[:, SHORT_HEADER_BYTES:].tobytes()
