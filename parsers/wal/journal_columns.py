"""Journals by the numpy engine: where none is compiled, and of what the compiled one refuses.

A pass of its own over a segment that `parsers.wal.scan` has read: checksums are not looked at
again. Records of no interest stay columns; only those on a catalog's pages are taken apart.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from parsers.wal.columns import Rows
from parsers.wal.decode import Source
from parsers.wal.engine import Batch
from parsers.wal.journal import (
    FULL_PAGES,
    HEAP2,
    LEAST_BYTES,
    MOST_BYTES,
    CatalogChange,
    Journal,
    Usage,
    crossing_journal,
    read_changes,
)
from parsers.wal.locate import open_segment
from parsers.wal.record import Rmgr, packed_image_flags

_TYPES: Final = ("I", "q", "q", "q")  # of the columns of Usage


def journal_columns(
    view: memoryview,
    *,
    name_timeline: int,
    segment_number: int,
    end_lsn: int,
    catalogs: Collection[int],
) -> Journal:
    """What `journal_segment` says. Raises ParseError."""
    parts: list[Usage] = []
    changes: list[CatalogChange] = []
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
    return Journal(usage=_join(parts), changes=tuple(changes))


# -- how much each wrote -------------------------------------------------------------------------


def _packed(*columns: npt.NDArray[np.generic]) -> Usage:
    wide = (
        array(code, column.astype(code).tobytes())
        for code, column in zip(_TYPES, columns, strict=True)
    )
    return Usage(*wide)


def _usage(rows: Rows) -> Usage:
    xids, first, inverse = np.unique(rows.xid, return_index=True, return_inverse=True)
    counts = np.bincount(inverse)
    return _packed(xids, counts, np.bincount(inverse, rows.length), rows.lsn[first])


def _join(parts: list[Usage]) -> Usage:
    """The sum of several."""
    if not parts:
        return Usage()
    each, records, sizes, lsns = (np.concatenate(column) for column in zip(*parts, strict=True))
    xids, inverse = np.unique(each, return_inverse=True)
    first = np.full(len(xids), np.iinfo(np.int64).max)
    np.minimum.at(first, inverse, lsns)
    return _packed(xids, np.bincount(inverse, records), np.bincount(inverse, sizes), first)


# -- the catalogs' rows --------------------------------------------------------------------------


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
    stream: bytes, rows: Rows, major: int, catalogs: Iterable[int]
) -> npt.NDArray[np.intp]:
    """The rows whose first block reference is a page of a catalog; it follows the header."""
    pages = (rows.rmgr == Rmgr.XLOG) & np.isin(rows.info & 0xF0, FULL_PAGES)
    mask = pages | (rows.rmgr == Rmgr.HEAP) | (rows.rmgr == HEAP2)
    found = np.flatnonzero(mask & (rows.length >= LEAST_BYTES) & (rows.length <= MOST_BYTES))
    start = rows.position[found]
    octets = np.frombuffer(stream, np.uint8)
    has_image = octets[start + 25] & 0x10 != 0
    info = octets[start + 32]
    long = (info & packed_image_flags(major) != 0) & (info & 0x01 != 0)
    at = start + 36 + np.where(has_image, 5 + 2 * long, 0)
    inside = at + 4 <= len(stream)
    found, at = found[inside], at[inside]
    numbers = octets[at[:, None] + np.arange(4)].view("<u4").ravel()
    return found[np.isin(numbers, np.fromiter(catalogs, np.uint32))]
