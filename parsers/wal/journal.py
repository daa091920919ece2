"""What a scan leaves out: how much each transaction wrote, and what happened to the catalogs' rows.

The compiled engine counts as it walks, and points out the records on a catalog's pages: a scan can
bring a journal along (`JournalWanted`). `parsers.wal.journal_segment` makes one in a pass of its
own, of what the compiled engine refuses with the numpy one. Either way only those few records
are taken apart, here.

Bodies follow xl_heap_insert, xl_heap_update and xl_heap_delete in src/include/access/heapam_xlog.h
and heap_xlog_update in src/backend/access/heap/heapam_xlog.c.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Final, Literal, NamedTuple

from parsers.errors import ParseError
from parsers.wal.blocks import Block, read_blocks, restore_page
from parsers.wal.completed import Completed
from parsers.wal.decode import Source
from parsers.wal.facts import Relation
from parsers.wal.heap_page import TUPLE_HEADER_BYTES, HeapTuple, read_page
from parsers.wal.kernel import Walked
from parsers.wal.record import Rmgr, main_data

HEAP2: Final = 9
FULL_PAGES: Final = (0xA0, 0xB0)  # of Rmgr.XLOG: whole pages and nothing else
LEAST_BYTES: Final = 46  # of a record with a block reference and a body
MOST_BYTES: Final = 32 << 10  # of one that is taken apart: a row's change, and the pages with it
_PREFIX_FROM_OLD, _SUFFIX_FROM_OLD = 0x20, 0x40


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


class Usage(NamedTuple):
    """What each transaction wrote: columns of equal length, by ascending xid."""

    xids: array[int] = array("I")
    records: array[int] = array("q")
    bytes: array[int] = array("q")  # xl_tot_len: the pages that records carry included
    first_lsns: array[int] = array("q")  # of its first record

    def rows_of(self, wanted: Sequence[int]) -> Iterator[tuple[int, int]]:
        """(xid, where it stands) of those of some that are here; `wanted` ascends."""
        if not self.xids:
            return
        first, last = bisect_left(wanted, self.xids[0]), bisect_right(wanted, self.xids[-1])
        row = 0
        for xid in wanted[first:last]:
            row = bisect_left(self.xids, xid, row)
            if self.xids[row] == xid:
                yield xid, row


class Journal(NamedTuple):
    """One segment, or one record."""

    usage: Usage
    changes: tuple[CatalogChange, ...]  # in LSN order


class JournalWanted(NamedTuple):
    """Asks a scan for the journal of the same records, where it can be had at little cost."""

    catalogs: frozenset[int]  # file numbers (relfilenode)
    take: Callable[[Journal, int], None]  # the journal, and the LSN before which its records start


def counted_journal(
    walked: Walked, major: int, catalogs: Collection[int]
) -> tuple[Journal, int] | None:
    """(the journal that the compiled engine was asked for, the end of its last record)."""
    counted, until_lsn = walked.journal, walked.facts.end_lsn
    if counted is None or until_lsn is None:
        return None
    changes = tuple(
        change
        for _row, lsn, end_lsn, xid, rmgr, info, record in counted.notes
        for change in read_changes(record, Source(major, lsn, end_lsn, xid, rmgr, info), catalogs)
    )
    return Journal(Usage(*counted.usage), changes), until_lsn


def crossing_journal(completed: Completed, catalogs: Collection[int]) -> Journal:
    """The same of one record that was read in pieces."""
    record, end_lsn = completed
    header = record.header
    assert header is not None, "a completed record has its header"
    usage = Usage(
        array("I", [header.xid]), array("q", [1]), array("q", [record.total]),
        array("q", [record.lsn]),
    )  # fmt: skip
    if not record.kept or record.total > MOST_BYTES or not _has_pages(header.rmgr, header.info):
        return Journal(usage=usage, changes=())
    source = Source(record.major, record.lsn, end_lsn, header.xid, header.rmgr, header.info)
    return Journal(usage=usage, changes=tuple(read_changes(record.kept, source, catalogs)))


# -- the catalogs' rows --------------------------------------------------------------------------


def _has_pages(rmgr: int, info: int) -> bool:
    return rmgr in (Rmgr.HEAP, HEAP2) or (rmgr == Rmgr.XLOG and info & 0xF0 in FULL_PAGES)


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
