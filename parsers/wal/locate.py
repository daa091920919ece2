"""Single records of a segment: which one starts at or after an LSN.

A scan keeps no list of all records; a target that is an LSN needs one of them by its place. The
segment is walked again, as `parsers.wal.scan` does, up to the record.
"""

from __future__ import annotations

import mmap

import numpy as np

from parsers.errors import ParseError
from parsers.sentences import tr
from parsers.wal.engine import Batch, RecordReader, open_records
from parsers.wal.page import ANY_TIMELINE, parse_segment_header
from parsers.wal.pages import read_pages
from parsers.wal.record import RecordPlace, is_switch, parse_record_header
from parsers.wal.stream import Geometry


def find_record(
    buffer: bytes | bytearray | memoryview | mmap.mmap,
    lsn: int,
    *,
    segment_number: int,
) -> RecordPlace | None:
    """The first record, whole in this segment, that starts at `lsn` or after it; None without one.

    Records after damage do not count; pages may be of any timeline. Raises ParseError for a buffer
    that is no segment.
    """
    with memoryview(buffer) as view:
        reader = open_segment(view, ANY_TIMELINE, segment_number)
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
        raise ParseError(tr("segment cut short"))
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
        end_lsn = segment_end if is_switch(header.rmgr, header.info) else completed.end_lsn
        return RecordPlace(completed.record.lsn, end_lsn, header.rmgr, header.info, header.xid)
    rows = batch.rows
    row = int(np.searchsorted(rows.lsn, lsn))
    if row == len(rows.lsn):
        return None
    columns = (rows.lsn, rows.end_lsn, rows.rmgr, rows.info, rows.xid)
    place = RecordPlace(*(int(column[row]) for column in columns))
    is_last = is_switch(place.rmgr, place.info)
    return place._replace(end_lsn=segment_end) if is_last else place
