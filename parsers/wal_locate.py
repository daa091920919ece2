"""Single records of a segment: which one starts at or behind an LSN.

A scan keeps no list of all records; a target that is an LSN needs one of them by its place. The
segment is walked again, as `parsers.wal_scan` does, up to the record.
"""

from __future__ import annotations

import mmap
from typing import NamedTuple

import numpy as np

from parsers.errors import ParseError
from parsers.wal_engine import Batch, RecordReader, open_records
from parsers.wal_page import parse_segment_header
from parsers.wal_pages import read_pages
from parsers.wal_record import SWITCH, Rmgr, parse_record_header
from parsers.wal_stream import Geometry


class RecordPlace(NamedTuple):
    """Where one record lies and whose it is."""

    lsn: int
    end_lsn: int  # of a switch, the segment's
    rmgr: int
    info: int
    xid: int


def find_record(
    buffer: bytes | bytearray | memoryview | mmap.mmap,
    lsn: int,
    *,
    name_timeline: int,
    segment_number: int,
) -> RecordPlace | None:
    """The first record, whole in this segment, that starts at `lsn` or behind it; None without one.

    Records behind damage do not count. Raises ParseError for a buffer that is no segment.
    """
    with memoryview(buffer) as view:
        reader = open_segment(view, name_timeline, segment_number)
        for batch in reader.read_all():
            found = _find(batch, lsn, reader.geometry.end_lsn)
            if found:
                return found
        return None


def open_segment(
    view: memoryview, name_timeline: int, segment_number: int, *, verify: bool = True
) -> RecordReader:
    """A reader before the first record of a segment. Raises ParseError for what is none.

    `verify=False` is for a segment that was scanned before: see RecordReader.
    """
    header = parse_segment_header(view)
    size = header.segment_size
    if len(view) < header.page_size:
        raise ParseError("segment cut short")
    pages = min(len(view), size) // header.page_size
    geometry = Geometry(segment_number * size, size, header.page_size, pages)
    table = read_pages(view, geometry, header, name_timeline)
    reader = open_records(view, geometry, header, table)
    reader.verify = verify
    return reader


def _find(batch: Batch, lsn: int, segment_end: int) -> RecordPlace | None:
    completed = batch.completed
    if completed and completed.record.lsn >= lsn:
        header = parse_record_header(completed.record.opening)
        return RecordPlace(
            completed.record.lsn, completed.end_lsn, header.rmgr, header.info, header.xid
        )
    rows = batch.rows
    row = int(np.searchsorted(rows.lsn, lsn))
    if row == len(rows.lsn):
        return None
    columns = (rows.lsn, rows.end_lsn, rows.rmgr, rows.info, rows.xid)
    place = RecordPlace(*(int(column[row]) for column in columns))
    is_switch = place.rmgr == Rmgr.XLOG and place.info & 0xF0 == SWITCH
    return place._replace(end_lsn=segment_end) if is_switch else place
