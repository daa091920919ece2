"""A segment seen from a record in its middle: what lies before it is taken for granted.

Recovery begins at a checkpoint's redo location and never reads what the segment holds before that;
damage there is no obstacle to it. A scan begins at the segment's start, so it is given the segment
with everything before the record turned into the end of a record that began earlier.
"""

from __future__ import annotations

import struct
from typing import Final

from parsers.wal.page import (
    LONG_HEADER_BYTES,
    SHORT_HEADER_BYTES,
    XLP_FIRST_IS_CONTRECORD,
    parse_segment_header,
)
from parsers.wal.stream import Geometry

_SHORT: Final = struct.Struct("<HHIQI4x")


def begin_at(buffer: bytes | memoryview, lsn: int) -> bytes:
    """Copy a segment so that a scan of it begins with the record at `lsn`.

    The first page and the one that holds `lsn` keep their own headers, as the server reads both.
    Raises ParseError for a segment without a usable first page.
    """
    header = parse_segment_header(buffer)
    size = header.page_size
    geometry = Geometry(lsn - lsn % header.segment_size, header.segment_size, size, 0)
    copy = bytearray(buffer)
    last = (lsn - geometry.start_lsn) // size
    target = _position(geometry, last, lsn)
    for page in range(last + 1):
        remaining = target - geometry.position_of_page(page)
        magic, info, timeline, address, _ = _SHORT.unpack_from(copy, page * size)
        if 0 < page < last:
            magic, info = header.page.magic, 0
            timeline, address = header.page.timeline, geometry.page_lsn(page)
        info = info & ~XLP_FIRST_IS_CONTRECORD | (XLP_FIRST_IS_CONTRECORD if remaining else 0)
        _SHORT.pack_into(copy, page * size, magic, info, timeline, address, remaining)
    return bytes(copy)


def _position(geometry: Geometry, page: int, lsn: int) -> int:
    """Record bytes of the segment before `lsn`, which lies on `page`."""
    header_bytes = SHORT_HEADER_BYTES if page else LONG_HEADER_BYTES
    return geometry.position_of_page(page) + lsn - geometry.page_lsn(page) - header_bytes
