"""The journal of a segment that was scanned before: by the compiled engine, else by numpy."""

from __future__ import annotations

import mmap
from collections.abc import Collection

from parsers.wal.journal import Journal, counted_journal
from parsers.wal.kernel import walk_segment
from parsers.wal.page import parse_segment_header
from parsers.wal.stream import Geometry


def journal_segment(
    buffer: bytes | bytearray | memoryview | mmap.mmap,
    *,
    name_timeline: int,
    segment_number: int,
    end_lsn: int,
    catalogs: Collection[int],
) -> Journal:
    """Read the records that end in a segment and start before `end_lsn`, those that cross out of it
    left to `crossing_journal`. `catalogs` are file numbers (relfilenode).

    Raises ParseError for a buffer that is no segment.
    """
    with memoryview(buffer) as view:
        header = parse_segment_header(view)
        size = header.segment_size
        if len(view) == size:
            geometry = Geometry(segment_number * size, size, header.page_size,
                                size // header.page_size)  # fmt: skip
            walked = walk_segment([view], geometry, header, name_timeline, catalogs)
            found = counted_journal(walked, header.major, catalogs) if walked else None
            if found and found[1] <= end_lsn:
                return found[0]
        from parsers.wal.journal_columns import journal_columns  # and numpy

        return journal_columns(
            view,
            name_timeline=name_timeline,
            segment_number=segment_number,
            end_lsn=end_lsn,
            catalogs=catalogs,
        )
