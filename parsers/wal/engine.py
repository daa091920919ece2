"""The engine: walks the records of a segment and checks each, in numpy columns, not in objects.

This is the boundary where a compiled engine can take over: a buffer and its page table go in,
`Batch`es of checked records come out, at most one window (2 MiB) at a time, so that the memory a
scan needs does not grow with the segment.

How a window is read. Page headers lie at fixed places: they are cut out, and the records are then
one contiguous stream. A loop hops from xl_tot_len to xl_tot_len; this is the only step a record at
a time in Python, beside the checksum of a long body. The header fields of all records are then
gathered into columns (`parsers.wal.columns`) and judged together (`parsers.wal.judge`). The first
failure cuts the columns. A record that runs out of the window is carried as a `PartialRecord`,
exactly as one that runs out of the segment is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import Final, NamedTuple

import numpy as np

from parsers.values import dataclass
from parsers.wal.columns import (
    NO_ROWS,
    Columns,
    PageWindow,
    Rows,
    gather,
    positions_of_pages,
    record_bytes,
    walk,
)
from parsers.wal.completed import Completed, check_completed
from parsers.wal.damage import Damage, DamageKind, continuation, length_damage
from parsers.wal.fragment import (
    HeadFragment,
    PartialRecord,
    ends_switch,
    feed_head,
    feed_record,
    start_head,
    start_record,
)
from parsers.wal.judge import (
    Failure,
    Mismatch,
    first_bad_crc,
    first_bad_header,
    first_bad_page,
    first_mismatch,
)
from parsers.wal.page import XLP_FIRST_IS_CONTRECORD, LongPageHeader
from parsers.wal.pages import PageTable
from parsers.wal.record import SWITCH, Rmgr, is_switch
from parsers.wal.stream import Geometry

WINDOW_BYTES: Final = 2 << 20


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
    switch_end_lsn: int | None = None  # of an XLOG_SWITCH: nothing follows in the segment
    stopped: bool = False  # no record header at `position`
    damage: Damage | None = None
    damage_end_lsn: int | None = None  # of a record whose checksum fails
    verify: bool = True  # False: the records were checked before, and only their columns are wanted

    @property
    def done(self) -> bool:
        return self.stopped or self.damage is not None or self.switch_end_lsn is not None

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
        """Restart on a page that overwrites an unfinished record."""
        self.position = self.geometry.position_of_page(page)
        self.head_abandoned = self.head is not None and self.head.runs_on
        if self.carried:
            self.abandoned.append((page, self.carried.lsn))
        self.carried = None

    # -- one window ------------------------------------------------------------------------------

    def _read_window(self, first: int, last: int) -> Batch | None:
        base = self.geometry.position_of_page(first)
        window = PageWindow(
            stream=record_bytes(self.buffer, self.geometry, first, last),
            base=base,
            first_page=first,
            boundaries=positions_of_pages(self.geometry, first, last) - base,
            carries=self.table.carries(first, last),
        )
        completed = self._continue(window)
        if self.done or self.position >= base + len(window.stream):
            return Batch(window.stream, NO_ROWS, completed) if completed else None
        starts, stop = walk(window.stream, self.position - base)
        self.position, self.stopped = base + stop, stop < len(window.stream)
        columns = gather(window.stream, starts, base, self.geometry)
        if self.previous_lsn is None and len(columns.prev_lsn):
            self.first_prev_lsn = int(columns.prev_lsn[0])
        failure = self._judge(window, columns, stop)
        rows = self._accept(columns, failure)
        if failure is None and self.switch_end_lsn is None:
            self._carry_last(window, columns)
        return Batch(window.stream, rows, completed)

    def _continue(self, window: PageWindow) -> Completed | None:
        """Feed what ran into this window; give the carried record when it completes."""
        in_head = self.head and self.head.runs_on and not self.head_abandoned
        pending = self.head if in_head else self.carried
        if pending is None:
            return None
        end = pending.remaining - (pending.length if isinstance(pending, HeadFragment) else 0)
        page = first_mismatch(window, end)
        if page is not None:
            self.damage = self._blame_carried(window, page, pending, end)
            return None
        piece = window.stream[:end]
        if isinstance(pending, HeadFragment):
            self.head = feed_head(pending, piece)
            if ends_switch(self.head):
                self.switch_end_lsn = int(self.geometry.end_lsns(self.position))
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
        end_lsn = int(self.geometry.end_lsns(self.position))
        if completed.header and is_switch(completed.header.rmgr, completed.header.info):
            self.switch_end_lsn = end_lsn
        return Completed(completed, end_lsn)

    def _judge(self, window: PageWindow, columns: Columns, stop: int) -> Failure | None:
        """The first record that fails, and why."""
        if not self.verify:
            return None
        header = first_bad_header(columns, self.previous_lsn, self.major)
        crc = first_bad_crc(window.stream, columns)
        page = first_bad_page(window, columns, stop)
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
            self.switch_end_lsn = int(rows.end_lsn[-1])
        elif failure:
            self.damage, self.damage_end_lsn = failure.damage, failure.end_lsn
        if len(rows.lsn):
            self.previous_lsn = int(rows.lsn[-1])
        return rows

    def _carry_last(self, window: PageWindow, columns: Columns) -> None:
        if columns.complete < len(columns.starts):
            start = int(columns.starts[-1])
            lsn = int(columns.lsn[-1])
            self.carried = start_record(lsn, window.stream[start:], self.major)

    # -- who is to blame when a record and a page disagree ----------------------------------------

    def _blame(self, window: PageWindow, columns: Columns, mismatch: Mismatch) -> Failure:
        page, row, expected = mismatch
        if expected < 0:  # nothing continues on this page, though it says so
            return Failure(row, self._page_damage(window, page, expected), None)
        start, boundary = int(columns.starts[row]), int(window.boundaries[page])
        record = start_record(int(columns.lsn[row]), window.stream[start:boundary], self.major)
        return Failure(row, self._blame_one(window, page, record), None)

    def _blame_carried(
        self, window: PageWindow, page: int, pending: PartialRecord | HeadFragment, end: int
    ) -> Damage:
        boundary = int(window.boundaries[page])
        if isinstance(pending, HeadFragment):
            return self._page_damage(window, page, end - boundary)
        return self._blame_one(window, page, feed_record(pending, window.stream[:boundary]))

    def _blame_one(self, window: PageWindow, page: int, record: PartialRecord) -> Damage:
        """The record up to a page says that it goes on there, and the page says otherwise."""
        if self._is_sound(window, page, record):
            return self._page_damage(window, page, record.remaining)
        carry = int(window.carries[page])
        fitting = record.length + carry if carry >= 0 else None
        return length_damage(record.lsn, record.total, fitting)

    def _is_sound(self, window: PageWindow, page: int, record: PartialRecord) -> bool:
        """Tell whether a record's length is right: by a page before, its checksum, a page after."""
        if record.length > self.geometry.payload:
            return True  # it went on over a whole page before, and that page agreed
        whole = feed_record(record, window.stream[int(window.boundaries[page]) :])
        if not whole.remaining:
            return whole.crc_holds
        number = window.first_page + page + 1
        left = record.remaining - self.geometry.payload
        if number < self.table.good:
            return int(self.table.carries(number, number + 1)[0]) == left
        return left < self.geometry.page_size  # nothing more here: the likelier of the two

    def _page_damage(self, window: PageWindow, page: int, expected: int) -> Damage:
        carry = int(window.carries[page])
        detail = continuation(carry if carry >= 0 else None, expected if expected >= 0 else None)
        lsn = self.geometry.page_lsn(window.first_page + page)
        return Damage(kind=DamageKind.BAD_HEADER, lsn=lsn, detail=detail)
