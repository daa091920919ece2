"""The engine: walks the records of a segment and checks each, in numpy columns, not in objects.

This is the boundary where a compiled engine can take over: a buffer and its page table go in,
`Batch`es of checked records come out, at most one window (2 MiB) at a time, so that the memory a
scan needs does not grow with the segment.

How a window is read. Page headers lie at fixed places: they are cut out, and the records are then
one contiguous stream. A loop hops from xl_tot_len to xl_tot_len; this is the only step a record at
a time in Python, beside the checksum of its body. The header fields of all records are then
gathered into columns and judged together, in the order of XLogDecodeNextRecord and
ValidXLogRecord (src/backend/access/transam/xlogreader.c): resource manager, prev-link, what each
page says it continues, CRC. The first failure cuts the columns. A record that runs out of the
window is carried as a `PartialRecord`, exactly as one that runs out of the segment is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from parsers.lsn import format_lsn
from parsers.wal_crc import crcs_of, extend_with_words
from parsers.wal_damage import Damage, DamageKind
from parsers.wal_fragment import (
    HeadFragment,
    PartialRecord,
    feed_head,
    feed_record,
    start_head,
    start_record,
)
from parsers.wal_page import XLP_FIRST_IS_CONTRECORD, LongPageHeader
from parsers.wal_pages import PageTable
from parsers.wal_record import MAX_RECORD_BYTES, RECORD_HEADER_BYTES, SWITCH, Rmgr, is_rmgr
from parsers.wal_stream import Geometry, Positions, record_bytes

WINDOW_BYTES: Final = 2 << 20


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


class Completed(NamedTuple):
    """A record that was read in pieces, checked."""

    record: PartialRecord
    end_lsn: int


class Batch(NamedTuple):
    """The records of one window that passed every check."""

    stream: bytes  # of the window: Rows.position points into it
    rows: Rows
    completed: Completed | None  # a carried record that ends here, before the rows; in no row


def open_records(
    buffer: memoryview, geometry: Geometry, header: LongPageHeader, table: PageTable
) -> RecordReader:
    """A reader before the first record that starts in a segment."""
    page = header.page
    carried = page.info & XLP_FIRST_IS_CONTRECORD
    return RecordReader(
        buffer=buffer,
        geometry=geometry,
        table=table,
        major=header.major,
        position=(page.remaining + 7 & ~7) if carried else 0,
        head=start_head(page.remaining) if carried else None,
    )


@dataclass(slots=True)
class RecordReader:
    """The state of a walk between windows."""

    buffer: memoryview
    geometry: Geometry
    table: PageTable
    major: int
    position: int  # where the next record starts, in the segment's stream
    carried: PartialRecord | None = None  # runs out of what was read
    head: HeadFragment | None = None  # of the segment; complete once a record was read
    head_abandoned: bool = False  # a crash cut its record short in this segment
    abandoned: list[tuple[int, int]] = field(default_factory=list)  # (page, record's LSN)
    previous_lsn: int | None = None  # of the last record; None: not known in this segment
    first_prev_lsn: int | None = None  # xl_prev of the first record: nothing here checks it
    switch_lsn: int | None = None  # an XLOG_SWITCH: nothing follows in the segment
    stopped: bool = False  # no record header at `position`
    damage: Damage | None = None
    damage_end_lsn: int | None = None  # of a record whose checksum fails

    @property
    def done(self) -> bool:
        return self.stopped or self.damage is not None or self.switch_lsn is not None

    def read_all(self) -> Iterator[Batch]:
        """Read run after run of good pages; one begins where a page overwrites a record."""
        starts = [0, *self.table.overwrites(self.major)]
        for first, last in zip(starts, [*starts[1:], self.table.good], strict=True):
            if first:
                self._abandon(first)
            yield from self.read(first, last)
            if self.done:
                return

    def read(self, first: int, last: int) -> Iterator[Batch]:
        """Read the records on the pages first <= page < last."""
        step = max(WINDOW_BYTES // self.geometry.page_size, 1)
        for page in range(first, last, step):
            if self.done:
                return
            batch = self._read_window(page, min(page + step, last))
            if batch is not None:
                yield batch

    def _abandon(self, page: int) -> None:
        """Begin anew on a page that overwrites an unfinished record."""
        self.position = self.geometry.position_of_page(page)
        self.head_abandoned = self.head is not None and self.head.runs_on
        if self.carried:
            self.abandoned.append((page, self.carried.lsn))
        self.carried = None

    # -- one window ------------------------------------------------------------------------------

    def _read_window(self, first: int, last: int) -> Batch | None:
        base = self.geometry.position_of_page(first)
        window = Window(
            stream=record_bytes(self.buffer, self.geometry, first, last),
            base=base,
            first_page=first,
            boundaries=self.geometry.positions_of_pages(first, last) - base,
            carries=self.table.carries(first, last),
        )
        completed = self._continue(window)
        if self.damage or self.position >= base + len(window.stream):
            return Batch(window.stream, NO_ROWS, completed) if completed else None
        starts, stop = _walk(window.stream, self.position - base)
        self.position, self.stopped = base + stop, stop < len(window.stream)
        columns = _gather(window.stream, starts, base, self.geometry)
        if self.previous_lsn is None and len(columns.prev_lsn):
            self.first_prev_lsn = int(columns.prev_lsn[0])
        failure = self._judge(window, columns, stop)
        rows = self._accept(columns, failure)
        if failure is None and self.switch_lsn is None:
            self._carry_last(window, columns)
        return Batch(window.stream, rows, completed)

    def _continue(self, window: Window) -> Completed | None:
        """Feed what ran into this window; give the carried record when it completes."""
        in_head = self.head and self.head.runs_on and not self.head_abandoned
        pending = self.head if in_head else self.carried
        if pending is None:
            return None
        end = pending.remaining - (pending.length if isinstance(pending, HeadFragment) else 0)
        page = _first_mismatch(window, end)
        if page is not None:
            self.damage = self._blame_carried(window, page, pending, end)
            return None
        piece = window.stream[:end]
        if isinstance(pending, HeadFragment):
            self.head = feed_head(pending, piece)
            return None
        self.carried = feed_record(pending, piece)
        if self.carried.remaining:
            return None
        completed, self.carried = self.carried, None
        self.damage = check_completed(completed, self.previous_lsn)
        if self.damage:
            return None
        if self.previous_lsn is None and completed.header:
            self.first_prev_lsn = completed.header.prev_lsn
        self.previous_lsn = completed.lsn
        return Completed(completed, int(self.geometry.end_lsns(self.position)))

    def _judge(self, window: Window, columns: Columns, stop: int) -> Failure | None:
        """The first record that fails, and why."""
        header = _first_bad_header(columns, self.previous_lsn, self.major)
        crc = _first_bad_crc(window.stream, columns)
        page = _first_bad_page(window, columns, stop)
        failures = [failure for failure in (header, crc) if failure]
        if page is not None:
            failures.append(self._blame(window, columns, page))
        return min(failures, key=lambda failure: failure.row) if failures else None

    def _accept(self, columns: Columns, failure: Failure | None) -> Rows:
        """Keep the rows before a failure or a switch, and note which of the two it was."""
        rows = columns.complete_rows()
        if failure:
            rows = rows.cut(failure.row)
        switches = np.flatnonzero((rows.rmgr == Rmgr.XLOG) & (rows.info & 0xF0 == SWITCH))
        if len(switches):
            rows = rows.cut(int(switches[0]) + 1)
            self.switch_lsn = int(rows.lsn[-1])
        elif failure:
            self.damage, self.damage_end_lsn = failure.damage, failure.end_lsn
        if len(rows.lsn):
            self.previous_lsn = int(rows.lsn[-1])
        return rows

    def _carry_last(self, window: Window, columns: Columns) -> None:
        if columns.complete < len(columns.starts):
            start = int(columns.starts[-1])
            lsn = int(columns.lsn[-1])
            self.carried = start_record(lsn, window.stream[start:], self.major)

    # -- who is to blame when a record and a page disagree ----------------------------------------

    def _blame(self, window: Window, columns: Columns, mismatch: Mismatch) -> Failure:
        page, row, expected = mismatch
        if expected < 0:  # nothing continues on this page, though it says so
            return Failure(row, self._page_damage(window, page, expected), None)
        start, boundary = int(columns.starts[row]), int(window.boundaries[page])
        record = start_record(int(columns.lsn[row]), window.stream[start:boundary], self.major)
        return Failure(row, self._blame_one(window, page, record), None)

    def _blame_carried(
        self, window: Window, page: int, pending: PartialRecord | HeadFragment, end: int
    ) -> Damage:
        boundary = int(window.boundaries[page])
        if isinstance(pending, HeadFragment):
            return self._page_damage(window, page, end - boundary)
        return self._blame_one(window, page, feed_record(pending, window.stream[:boundary]))

    def _blame_one(self, window: Window, page: int, record: PartialRecord) -> Damage:
        """The record up to a page says that it goes on there, and the page says otherwise."""
        if self._is_sound(window, page, record):
            return self._page_damage(window, page, record.remaining)
        carry = int(window.carries[page])
        fitting = record.length + carry if carry >= 0 else None
        return length_damage(record.lsn, record.total, fitting)

    def _is_sound(self, window: Window, page: int, record: PartialRecord) -> bool:
        """Tell whether the record's length is right: by its checksum, or by the page after."""
        whole = feed_record(record, window.stream[int(window.boundaries[page]) :])
        if not whole.remaining:
            return whole.crc_holds
        number = window.first_page + page + 1
        left = record.remaining - self.geometry.payload
        if number < self.table.good:
            return int(self.table.carries(number, number + 1)[0]) == left
        return left < self.geometry.page_size  # nothing more here: the likelier of the two

    def _page_damage(self, window: Window, page: int, expected: int) -> Damage:
        carry = int(window.carries[page])
        claims = (
            f"says that {carry} bytes continue" if carry >= 0 else "says that nothing continues"
        )
        needs = f"{expected} bytes do" if expected >= 0 else "nothing does"
        lsn = self.geometry.page_lsn(window.first_page + page)
        return Damage(kind=DamageKind.BAD_HEADER, lsn=lsn, detail=f"page: {claims}, but {needs}")


class Window(NamedTuple):
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


def _walk(stream: bytes, start: int) -> tuple[Positions, int]:
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


def _gather(stream: bytes, starts: Positions, base: int, geometry: Geometry) -> Columns:
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


def _first_bad_header(columns: Columns, previous: int | None, major: int) -> Failure | None:
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
        return Failure(row, _rmgr_damage(int(lsn[row]), int(columns.rmgr[row])), None)
    expected = int(lsn[row - 1]) if row else previous
    return Failure(row, prev_damage(int(lsn[row]), int(prev[row]), expected), None)


def _known_rmgrs(major: int) -> npt.NDArray[np.bool_]:
    return np.array([is_rmgr(rmgr, major) for rmgr in range(256)], dtype=np.bool_)


def _first_bad_crc(stream: bytes, columns: Columns) -> Failure | None:
    n = columns.complete
    starts, lengths = columns.starts[:n], columns.lengths[:n]
    crcs = crcs_of(stream, starts + RECORD_HEADER_BYTES, lengths - RECORD_HEADER_BYTES)
    halves = columns.words[:, :n].copy().view("<u4").reshape(3, n, 2)
    parts = [halves[0, :, 0], halves[0, :, 1], halves[1, :, 0], halves[1, :, 1], halves[2, :, 0]]
    wrong = extend_with_words(crcs, parts) != halves[2, :, 1]
    if not wrong.any():
        return None
    row = int(wrong.argmax())
    return Failure(row, _crc_damage(int(columns.lsn[row])), int(columns.end_lsn[row]))


def _first_bad_page(window: Window, columns: Columns, stop: int) -> Mismatch | None:
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


def _first_mismatch(window: Window, end: int) -> int | None:
    """The first page, before a carried record's end, that does not continue it as it should."""
    inside = window.boundaries < end
    wrong = inside & (window.carries != end - window.boundaries)
    return int(wrong.argmax()) if wrong.any() else None


def check_completed(record: PartialRecord, previous: int | None) -> Damage | None:
    """Judge a record whose last byte has come: resource manager, prev-link, CRC."""
    header = record.header
    if header is None:
        return length_damage(record.lsn, record.total)
    if not is_rmgr(header.rmgr, record.major):
        return _rmgr_damage(record.lsn, header.rmgr)
    if previous is not None and header.prev_lsn != previous:
        return prev_damage(record.lsn, header.prev_lsn, previous)
    return None if record.crc_holds else _crc_damage(record.lsn)


def _rmgr_damage(lsn: int, rmgr: int) -> Damage:
    return Damage(kind=DamageKind.BAD_HEADER, lsn=lsn, detail=f"record: resource manager {rmgr}")


def prev_damage(lsn: int, prev: int, expected: int | None) -> Damage:
    before = f"the record before is {format_lsn(expected)}" if expected is not None else "ahead"
    detail = f"record: prev-link {format_lsn(prev)}, {before}"
    return Damage(kind=DamageKind.BAD_PREV_LINK, lsn=lsn, detail=detail)


def _crc_damage(lsn: int) -> Damage:
    return Damage(kind=DamageKind.BAD_CRC, lsn=lsn, detail="record: checksum does not match")


def length_damage(lsn: int, length: int, fitting: int | None = None) -> Damage:
    """A record whose length cannot be; `fitting` is the one that its pages speak of."""
    detail = f"record: length {length}"
    if fitting is not None:
        detail += f" where its pages say {fitting}"
    return Damage(kind=DamageKind.BAD_HEADER, lsn=lsn, detail=detail)


_EMPTY: Final = np.empty(0, np.int64)
NO_ROWS: Final = Rows(_EMPTY, _EMPTY, _EMPTY, *(_EMPTY.astype(np.uint32),) * 2, _EMPTY,
                      *(_EMPTY.astype(np.uint8),) * 2)  # fmt: skip
