"""The records of a window as columns: where each starts and ends, and its header fields."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from parsers.wal.page import LONG_HEADER_BYTES, SHORT_HEADER_BYTES
from parsers.wal.record import RECORD_HEADER_BYTES
from parsers.wal.stream import Geometry

Positions = npt.NDArray[np.int64]


class Rows(NamedTuple):
    """Complete records as columns."""

    position: Positions  # of the header, in the batch's stream
    lsn: Positions
    end_lsn: Positions
    length: npt.NDArray[np.uint32]
    xid: npt.NDArray[np.uint32]
    prev_lsn: Positions
    rmgr: npt.NDArray[np.uint8]
    info: npt.NDArray[np.uint8]

    def cut(self, count: int) -> Rows:
        """The first `count` rows."""
        return Rows._make(column[:count] for column in self)


_EMPTY: Final = np.empty(0, np.int64)
NO_ROWS: Final = Rows(_EMPTY, _EMPTY, _EMPTY, *(_EMPTY.astype(np.uint32),) * 2, _EMPTY,
                      *(_EMPTY.astype(np.uint8),) * 2)  # fmt: skip


class PageWindow(NamedTuple):
    """Some pages of a segment, without their headers."""

    stream: bytes
    base: int  # position of the stream's first byte in the segment's
    first_page: int
    boundaries: Positions  # where each page begins in the stream
    carries: Positions  # what each page says it continues: bytes, or -1


class Columns(NamedTuple):
    """Header fields of the records that start in a window; only the last may be incomplete."""

    starts: Positions  # in the window's stream
    lengths: Positions  # xl_tot_len
    lsn: Positions
    end_lsn: Positions
    complete: int  # records that end in the window
    words: npt.NDArray[np.uint64]  # 3 x n: the 24 bytes of each header that is all there

    @property
    def prev_lsn(self) -> Positions:
        return _wide(self.words[1])

    @property
    def rmgr(self) -> npt.NDArray[np.uint8]:
        return _byte(self.words[2] >> np.uint64(8))

    def complete_rows(self) -> Rows:
        """Rows of the records that end in the window."""
        n = self.complete
        first, second, third = (word[:n] for word in self.words)
        return Rows(
            position=self.starts[:n],
            lsn=self.lsn[:n],
            end_lsn=self.end_lsn[:n],
            length=first.astype(np.uint32),
            xid=(first >> np.uint64(32)).astype(np.uint32),
            prev_lsn=_wide(second),
            rmgr=_byte(third >> np.uint64(8)),
            info=_byte(third),
        )


def _wide(words: npt.NDArray[np.uint64]) -> Positions:
    return words.astype(np.int64)


def _byte(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    return words.astype(np.uint8)


def positions_of_pages(geometry: Geometry, first: int, last: int) -> Positions:
    """Position of the first record byte on each of the pages first <= page < last."""
    shift = LONG_HEADER_BYTES - SHORT_HEADER_BYTES
    pages = np.arange(first, last, dtype=np.int64)
    return np.maximum(pages * geometry.payload - shift, 0)


def record_bytes(buffer: memoryview, geometry: Geometry, first: int, last: int) -> bytes:
    """The payload of the pages first <= page < last, joined."""
    size = geometry.page_size
    if first == 0:
        head = bytes(buffer[LONG_HEADER_BYTES:size])
        return head + record_bytes(buffer, geometry, 1, last) if last > 1 else head
    pages = np.frombuffer(buffer[first * size : last * size], np.uint8).reshape(-1, size)
    return pages[:, SHORT_HEADER_BYTES:].tobytes()


def walk(stream: bytes, start: int) -> tuple[Positions, int]:
    """Hop from record to record; give their starts, and where the first missing one would start.

    This loop is the engine's heart: one turn a record.
    """
    words = memoryview(stream).cast("I")
    limit = len(words)
    at = start >> 2
    starts: list[int] = []
    append = starts.append
    while at < limit:
        length = words[at]
        if length < RECORD_HEADER_BYTES:
            break
        append(at)
        at += (length + 7) >> 3 << 1
    return np.array(starts, dtype=np.int64) << 2, at << 2


def gather(stream: bytes, starts: Positions, base: int, geometry: Geometry) -> Columns:
    words = np.frombuffer(stream, "<u8")
    units = starts >> 3
    lengths = (words[units] & np.uint64(0xFFFFFFFF)).astype(np.int64)
    ends = starts + lengths
    whole_headers = int(np.count_nonzero(starts + RECORD_HEADER_BYTES <= len(stream)))
    units = units[:whole_headers]
    return Columns(
        starts=starts,
        lengths=lengths,
        lsn=geometry.start_lsns(starts + base),
        end_lsn=geometry.end_lsns((ends + 7 & ~7) + base),
        complete=int(np.count_nonzero(ends <= len(stream))),
        words=np.stack([words[units], words[units + 1], words[units + 2]]),
    )
