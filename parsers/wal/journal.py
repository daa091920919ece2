"""What a scan leaves out: how much each transaction wrote, and what happened to the catalogs' rows.

A pass of its own over a segment that `parsers.wal.scan` has found sound: checksums are not looked
at again. Records of no interest stay columns; only those on a catalog's pages are taken apart.

Bodies follow xl_heap_insert, xl_heap_update and xl_heap_delete in src/include/access/heapam_xlog.h
and heap_xlog_update in src/backend/access/heap/heapam_xlog.c.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Collection, Iterable, Iterator
from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from parsers.errors import ParseError
from parsers.values import dataclass
from parsers.wal.blocks import Block, read_blocks, restore_page
from parsers.wal.columns import Rows
from parsers.wal.completed import Completed
from parsers.wal.decode import Source
from parsers.wal.engine import Batch
from parsers.wal.facts import Relation
from parsers.wal.heap_page import TUPLE_HEADER_BYTES, HeapTuple, read_page
from parsers.wal.locate import open_segment
from parsers.wal.record import Rmgr, main_data

_HEAP2: Final = 9
_PAGES: Final = (0xA0, 0xB0)  # of Rmgr.XLOG: whole pages and nothing else
_PREFIX_FROM_OLD, _SUFFIX_FROM_OLD = 0x20, 0x40
_MIN_BYTES: Final = 46  # of a record with a block reference and a body


class PageSeen(NamedTuple):
    """A catalog's page, as a record carries it whole: all its tuples, new ones included."""

    lsn: int
    relation: Relation
    block: int
    tuples: tuple[HeapTuple, ...]


class RowChange(NamedTuple):
    """One row of a catalog inserted, updated, deleted, or overwritten where it is."""

    lsn: int
    xid: int  # of the subtransaction, where there is one
    relation: Relation
    kind: Literal["insert", "update", "delete", "inplace"]
    old: tuple[int, int]  # (block, offset) of the row that goes; (0, 0) of an insert
    new: tuple[int, int]  # of the row that comes; (0, 0) of a delete
    values: bytes | None = None  # of the row that comes; None: a PageSeen before this has it
    prefix: int = 0  # bytes at its front to be taken from the old row
    suffix: int = 0  # and at its end


CatalogChange = PageSeen | RowChange


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What each transaction wrote: columns of equal length, by ascending xid."""

    xids: npt.NDArray[np.uint32]
    records: npt.NDArray[np.int64]
    bytes: npt.NDArray[np.int64]  # xl_tot_len: the pages that records carry included
    first_lsns: npt.NDArray[np.int64]  # of its first record


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """One segment, or several joined."""

    usage: Usage
    changes: tuple[CatalogChange, ...]  # in LSN order


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
    parts: list[Usage] = []
    changes: list[CatalogChange] = []
    with memoryview(buffer) as view:
        reader = open_segment(view, name_timeline, segment_number, verify=False)
        for batch in reader.read_all():
            rows = batch.rows.cut(int(np.searchsorted(batch.rows.lsn, end_lsn)))
            if batch.completed and batch.completed.record.lsn < end_lsn:
                crossed = crossing_journal(batch.completed, catalogs)
                parts.append(crossed.usage)
                changes += crossed.changes
            if len(rows.lsn):
                parts.append(_usage(rows))
                changes += _changes(batch, rows, reader.major, catalogs)
    return Journal(usage=join_usage(parts), changes=tuple(changes))


def crossing_journal(completed: Completed, catalogs: Collection[int]) -> Journal:
    """The same of one record that was read in pieces."""
    record, end_lsn = completed
    header = record.header
    assert header is not None, "a completed record has its header"
    usage = _columns([header.xid], [1], [record.total], [record.lsn])
    if not record.kept or not _has_pages(header.rmgr, header.info):
        return Journal(usage=usage, changes=())
    source = Source(record.major, record.lsn, end_lsn, header.xid, header.rmgr, header.info)
    return Journal(usage=usage, changes=tuple(read_changes(record.kept, source, catalogs)))


# -- how much each wrote -------------------------------------------------------------------------


def _columns(
    xids: Iterable[int], records: Iterable[int], sizes: Iterable[int], lsns: Iterable[int]
) -> Usage:
    return Usage(
        xids=np.fromiter(xids, np.uint32),
        records=np.fromiter(records, np.int64),
        bytes=np.fromiter(sizes, np.int64),
        first_lsns=np.fromiter(lsns, np.int64),
    )


def _usage(rows: Rows) -> Usage:
    xids, first, inverse = np.unique(rows.xid, return_index=True, return_inverse=True)
    return Usage(
        xids=xids,
        records=np.bincount(inverse),
        bytes=np.bincount(inverse, rows.length).astype(np.int64),
        first_lsns=rows.lsn[first],
    )


def join_usage(parts: Iterable[Usage]) -> Usage:
    """The sum of several."""
    several = list(parts)
    if not several:
        return _columns((), (), (), ())
    xids, inverse = np.unique(np.concatenate([u.xids for u in several]), return_inverse=True)
    lsns = np.concatenate([usage.first_lsns for usage in several])
    first = np.full(len(xids), np.iinfo(np.int64).max)
    np.minimum.at(first, inverse, lsns)
    return Usage(
        xids=xids,
        records=_sum(inverse, [usage.records for usage in several]),
        bytes=_sum(inverse, [usage.bytes for usage in several]),
        first_lsns=first,
    )


def _sum(
    inverse: npt.NDArray[np.intp], columns: list[npt.NDArray[np.int64]]
) -> npt.NDArray[np.int64]:
    return np.bincount(inverse, np.concatenate(columns)).astype(np.int64)


# -- the catalogs' rows --------------------------------------------------------------------------


def _has_pages(rmgr: int, info: int) -> bool:
    return rmgr in (Rmgr.HEAP, _HEAP2) or (rmgr == Rmgr.XLOG and info & 0xF0 in _PAGES)


def _changes(
    batch: Batch, rows: Rows, major: int, catalogs: Collection[int]
) -> Iterator[CatalogChange]:
    for row in _on_catalogs(batch.stream, rows, major, catalogs).tolist():
        start = int(rows.position[row])
        record = batch.stream[start : start + int(rows.length[row])]
        columns = (rows.lsn, rows.end_lsn, rows.xid, rows.rmgr, rows.info)
        yield from read_changes(
            record, Source(major, *(int(column[row]) for column in columns)), catalogs
        )


def _on_catalogs(
    stream: bytes, rows: Rows, major: int, catalogs: Collection[int]
) -> npt.NDArray[np.intp]:
    """The rows whose first block reference is a page of a catalog; it follows the header."""
    pages = (rows.rmgr == Rmgr.XLOG) & np.isin(rows.info & 0xF0, _PAGES)
    mask = pages | (rows.rmgr == Rmgr.HEAP) | (rows.rmgr == _HEAP2)
    found = np.flatnonzero(mask & (rows.length >= _MIN_BYTES))
    start = rows.position[found]
    octets = np.frombuffer(stream, np.uint8)
    has_image = octets[start + 25] & 0x10 != 0
    info = octets[start + 32]
    long = (info & (0x02 if major <= 14 else 0x1C) != 0) & (info & 0x01 != 0)
    at = start + 36 + np.where(has_image, 5 + 2 * long, 0)
    inside = at + 4 <= len(stream)
    found, at = found[inside], at[inside]
    numbers = octets[at[:, None] + np.arange(4)].view("<u4").ravel()
    return found[np.isin(numbers, np.fromiter(catalogs, np.uint32))]


def read_changes(
    record: bytes, source: Source, catalogs: Collection[int]
) -> Iterator[CatalogChange]:
    """What one whole record does to catalogs; nothing for a record that cannot be read."""
    try:
        blocks = read_blocks(record, source.major)
        yield from _pages_seen(blocks, source, catalogs)
        if source.rmgr == Rmgr.HEAP and blocks and blocks[0].relation.number in catalogs:
            change = _row_change(blocks, main_data(record, source.major), source)
            if change is not None:
                yield change
    except (ParseError, struct.error, IndexError):
        return


def _pages_seen(
    blocks: Iterable[Block], source: Source, catalogs: Collection[int]
) -> Iterator[PageSeen]:
    for block in blocks:
        if block.image and block.fork == 0 and block.relation.number in catalogs:
            page = restore_page(block.image)
            yield PageSeen(source.lsn, block.relation, block.number, tuple(read_page(page)))


def _row_change(blocks: list[Block], main: bytes, source: Source) -> RowChange | None:
    block, operation = blocks[0], source.info & 0x70
    whole = RowChange(source.lsn, source.xid, block.relation, "insert", (0, 0), (0, 0))
    match operation:
        case 0x00:  # XLOG_HEAP_INSERT
            (offset,) = struct.unpack_from("<H", main)
            values = None if block.image else _values(block.data)
            return whole._replace(new=(block.number, offset), values=values)
        case 0x10:  # XLOG_HEAP_DELETE
            (offset,) = struct.unpack_from("<4xH", main)
            return whole._replace(kind="delete", old=(block.number, offset))
        case 0x20 | 0x40:  # XLOG_HEAP_UPDATE, XLOG_HEAP_HOT_UPDATE
            return _update(whole, blocks, main)
        case 0x70:  # XLOG_HEAP_INPLACE: of no transaction, and never undone
            (offset,) = struct.unpack_from("<H", main)
            place = (block.number, offset)
            values = None if block.image else block.data
            return whole._replace(kind="inplace", old=place, new=place, values=values)
        case _:
            return None


def _update(whole: RowChange, blocks: list[Block], main: bytes) -> RowChange:
    """Of an update within a page, only what differs between the two rows is in the record."""
    block, old_block = blocks[0], blocks[1 if len(blocks) > 1 else 0]
    old_offset, flags, new_offset = struct.unpack_from("<4xHxB4xH", main)
    change = whole._replace(
        kind="update", old=(old_block.number, old_offset), new=(block.number, new_offset)
    )
    if block.image:
        return change
    data, prefix, suffix = block.data, 0, 0
    if flags & _PREFIX_FROM_OLD:
        (prefix,), data = struct.unpack_from("<H", data), data[2:]
    if flags & _SUFFIX_FROM_OLD:
        (suffix,), data = struct.unpack_from("<H", data), data[2:]
    values = _values(data)
    return change._replace(values=values, prefix=prefix, suffix=suffix)


def _values(data: bytes) -> bytes:
    """After xl_heap_header (infomask2, infomask, hoff) come the null bitmap and the columns.

    The prefix counts from the columns on: the bitmap comes first in the record in either case.
    """
    bitmap = data[4] - TUPLE_HEADER_BYTES
    return data[5 + bitmap :]
