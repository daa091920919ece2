"""A segment without its page headers: the records as one stream of bytes, and where each byte lies.

XLogBytePosToRecPtr in src/backend/access/transam/xlog.c does the same arithmetic: a page gives
its size less 24 bytes of header, a segment's first page less 40. A *position* counts payload bytes
from the segment's start; positions and LSNs here are ints or numpy arrays of them alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from parsers.wal.page import LONG_HEADER_BYTES, SHORT_HEADER_BYTES

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Scalar = TypeVar("Scalar", int, "npt.NDArray[np.int64]")

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

    def start_of_payload(self, page: int) -> int:
        """Offset in the segment of the first record byte on a page."""
        header = SHORT_HEADER_BYTES if page else LONG_HEADER_BYTES
        return page * self.page_size + header

    def start_lsns(self, positions: Scalar) -> Scalar:
        """LSN of a record that starts at a position: after the header when a page begins there."""
        shifted = positions + _EXTRA
        in_page = SHORT_HEADER_BYTES + shifted % self.payload
        return self.start_lsn + shifted // self.payload * self.page_size + in_page

    def end_lsns(self, positions: Scalar) -> Scalar:
        """LSN of a record's (aligned, positive) end: before the header when a page begins there."""
        return self.start_lsns(positions - 8) + 8
