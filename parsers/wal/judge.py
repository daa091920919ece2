"""What is wrong with the records of a window, judged column by column.

In the order of XLogDecodeNextRecord and ValidXLogRecord (src/backend/access/transam/xlogreader.c):
resource manager, prev-link, what each page says it continues, CRC. The first record to fail ends
the log there, whatever follows.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from parsers.wal.columns import Columns, PageWindow
from parsers.wal.crc_columns import crcs_of, extend_with_words
from parsers.wal.damage import Damage, crc_damage, length_damage, prev_damage, rmgr_damage
from parsers.wal.record import MAX_RECORD_BYTES, RECORD_HEADER_BYTES, is_rmgr


class Failure(NamedTuple):
    """A record that cannot be replayed."""

    row: int
    damage: Damage
    end_lsn: int | None  # where the record would end, for a checksum that fails


class Mismatch(NamedTuple):
    """A page that contradicts the records on it."""

    page: int  # in the window
    row: int  # of the record that cannot be read for it
    expected: int  # bytes that should continue; -1: none


def first_bad_header(columns: Columns, previous: int | None, major: int) -> Failure | None:
    prev, lsn = columns.prev_lsn, columns.lsn[: len(columns.prev_lsn)]
    if not len(prev):
        return None
    too_long = columns.lengths[: len(prev)] > MAX_RECORD_BYTES
    unknown = ~_known_rmgrs(major)[columns.rmgr] | too_long
    wrong = np.empty(len(prev), np.bool_)
    wrong[1:] = prev[1:] != lsn[:-1]
    wrong[0] = prev[0] != previous if previous is not None else prev[0] >= lsn[0]
    bad = unknown | wrong
    if not bad.any():
        return None
    row = int(bad.argmax())
    if too_long[row]:
        return Failure(row, length_damage(int(lsn[row]), int(columns.lengths[row])), None)
    if unknown[row]:
        return Failure(row, rmgr_damage(int(lsn[row]), int(columns.rmgr[row])), None)
    expected = int(lsn[row - 1]) if row else previous
    return Failure(row, prev_damage(int(lsn[row]), int(prev[row]), expected), None)


@functools.cache
def _known_rmgrs(major: int) -> npt.NDArray[np.bool_]:
    return np.array([is_rmgr(rmgr, major) for rmgr in range(256)], dtype=np.bool_)


def first_bad_crc(stream: bytes, columns: Columns) -> Failure | None:
    n = columns.complete
    starts, lengths = columns.starts[:n], columns.lengths[:n]
    crcs = crcs_of(stream, starts + RECORD_HEADER_BYTES, lengths - RECORD_HEADER_BYTES)
    halves = columns.words[:, :n].copy().view("<u4").reshape(3, n, 2)
    parts = [halves[0, :, 0], halves[0, :, 1], halves[1, :, 0], halves[1, :, 1], halves[2, :, 0]]
    wrong = extend_with_words(crcs, parts) != halves[2, :, 1]
    if not wrong.any():
        return None
    row = int(wrong.argmax())
    return Failure(row, crc_damage(int(columns.lsn[row])), int(columns.end_lsn[row]))


def first_bad_page(window: PageWindow, columns: Columns, stop: int) -> Mismatch | None:
    """The first page whose claim differs from what the records before it need."""
    begin = int(columns.starts[0]) if len(columns.starts) else stop
    pages = np.flatnonzero((window.boundaries >= begin) & (window.boundaries <= stop))
    if not len(pages):
        return None
    boundaries = window.boundaries[pages]
    rows = np.searchsorted(columns.starts, boundaries, side="left") - 1
    ends = np.append(columns.starts + columns.lengths, -1)  # row -1: nothing before
    expected = np.where(ends[rows] > boundaries, ends[rows] - boundaries, -1)
    wrong = expected != window.carries[pages]
    if not wrong.any():
        return None
    first = int(wrong.argmax())
    needed = int(expected[first])
    return Mismatch(int(pages[first]), int(rows[first]) + (needed < 0), needed)


def first_mismatch(window: PageWindow, end: int) -> int | None:
    """The first page, before a carried record's end, that does not continue it as it should."""
    inside = window.boundaries < end
    wrong = inside & (window.carries != end - window.boundaries)
    return int(wrong.argmax()) if wrong.any() else None
