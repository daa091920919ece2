"""The parsers on files: what tests and benchmarks need around the pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from parsers.segment import parse_segment_name
from parsers.wal.engine import open_records
from parsers.wal.page import parse_segment_header
from parsers.wal.pages import read_pages
from parsers.wal.record import parse_record_header, rmgr_name
from parsers.wal.scan import Depth, SegmentScan, scan_segment
from parsers.wal.stitch import stitch_run
from parsers.wal.stream import Geometry


class Record(NamedTuple):
    """One record, as pg_waldump and pg_walinspect list it too."""

    lsn: int
    rmgr: str
    length: int
    prev_lsn: int
    xid: int


def scan_file(path: Path, *, depth: Depth = "records", name: str | None = None) -> SegmentScan:
    """Scan one segment under its own name, or under another."""
    return scan_bytes(path.read_bytes(), name or path.name, depth=depth)


def scan_bytes(data: bytes, name: str, *, depth: Depth = "records") -> SegmentScan:
    timeline, number = parse_segment_name(name, parse_segment_header(data).segment_size)
    return scan_segment(data, name_timeline=timeline, segment_number=number, depth=depth)


def list_records(paths: Sequence[Path]) -> list[Record]:
    """Every record of segments that follow each other, those over boundaries included."""
    scans = [scan_file(path) for path in paths]
    boundaries = [stitched.boundary for stitched in stitch_run(scans)]
    crossing = [
        Record(
            boundary.completed.record.lsn,
            rmgr_name(header.rmgr),
            header.length,
            header.prev_lsn,
            header.xid,
        )
        for boundary in boundaries
        if boundary and boundary.completed and (header := boundary.completed.record.header)
    ]
    inside = [record for path in paths for record in _records_inside(path)]
    return sorted(crossing + inside)


def _records_inside(path: Path) -> Iterator[Record]:
    """The records that lie whole in one segment, straight from the engine."""
    data = path.read_bytes()
    header = parse_segment_header(data)
    timeline, number = parse_segment_name(path.name, len(data))
    geometry = Geometry(
        number * len(data), len(data), header.page_size, len(data) // header.page_size
    )
    table = read_pages(memoryview(data), geometry, header, timeline)
    reader = open_records(memoryview(data), geometry, header, table)
    for batch in reader.read_all():
        if batch.completed:
            whole = parse_record_header(batch.completed.record.opening)
            yield Record(
                batch.completed.record.lsn, rmgr_name(whole.rmgr), whole.length,
                whole.prev_lsn, whole.xid,
            )  # fmt: skip
        rows = batch.rows
        columns = (rows.lsn, rows.rmgr, rows.length, rows.prev_lsn, rows.xid)
        for lsn, rmgr, length, prev, xid in zip(*(c.tolist() for c in columns), strict=True):
            yield Record(lsn, rmgr_name(rmgr), length, prev, xid)
