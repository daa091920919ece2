"""WAL written by hand: whole segments with true page headers, prev-links and checksums.

For stories that a server tells only by chance: a record that ends on a page, a clock that steps
back, an LSN between two records. What the server makes of such WAL is shown by the restores in
tests/integration; here the predictor's arithmetic is held to it at every position.
"""

from __future__ import annotations

import copy
import struct
from dataclasses import dataclass, field
from typing import NamedTuple

from parsers.segment import segment_name
from parsers.wal.crc import crc32c
from parsers.wal.facts import Relation
from parsers.wal.page import MAJOR_BY_MAGIC

SEGMENT = 1 << 20
SYSTEM = 7_000_000_000_000_000_001
_PAGE = 8192


class Place(NamedTuple):
    """Where a record was put."""

    lsn: int
    end_lsn: int


class Page(NamedTuple):
    """A page that a record is about, and what the record has of it."""

    relation: Relation
    number: int
    data: bytes = b""

    def head(self) -> bytes:
        """The block reference, without an image."""
        return struct.pack("<BBH4I", 0, 0x20, len(self.data), *self.relation, self.number)


@dataclass
class WalWriter:
    """Appends records on one timeline; `segments` are what the archive would hold."""

    major: int = 16
    timeline: int = 1
    lsn: int = SEGMENT  # where the next byte goes
    previous: int = 0  # start of the record before
    segments: dict[str, bytearray] = field(default_factory=dict)

    def append(
        self, rmgr: int, info: int, main: bytes = b"", xid: int = 0, page: Page | None = None
    ) -> Place:
        """Write one record, of one page where it is about one."""
        head, data = (page.head(), page.data) if page else (b"", b"")
        if len(main) < 256:
            body = head + (bytes([255, len(main)]) if main else b"") + data + main
        else:
            body = head + b"\xfe" + struct.pack("<I", len(main)) + data + main
        length = 24 + len(body)
        self._open_page(0)
        start = self.lsn
        head = struct.pack("<IIQBB2x", length, xid, self.previous, info, rmgr)
        record = head + struct.pack("<I", crc32c(head, crc32c(body))) + body
        self._put(record + bytes(-length % 8), length)
        self.previous = start
        return Place(start, self.lsn)

    def _put(self, data: bytes, length: int) -> None:
        done = 0
        while done < len(data):
            self._open_page(length - done if done else 0)
            count = min(_PAGE - self.lsn % _PAGE, len(data) - done)
            offset = self.lsn % SEGMENT
            self._segment()[offset : offset + count] = data[done : done + count]
            self.lsn += count
            done += count

    def _open_page(self, remaining: int) -> None:
        """Write a page's header when one begins here."""
        if self.lsn % _PAGE:
            return
        magic = next(magic for magic, major in MAJOR_BY_MAGIC.items() if major == self.major)
        is_first = self.lsn % SEGMENT == 0
        info = (2 if is_first else 0) | (1 if remaining else 0)
        header = struct.pack("<HHIQI4x", magic, info, self.timeline, self.lsn, max(remaining, 0))
        if is_first:
            header += struct.pack("<QII", SYSTEM, SEGMENT, _PAGE)
        offset = self.lsn % SEGMENT
        self._segment()[offset : offset + len(header)] = header
        self.lsn += len(header)

    def _segment(self) -> bytearray:
        name = segment_name(self.timeline, self.lsn // SEGMENT, SEGMENT)
        return self.segments.setdefault(name, bytearray(SEGMENT))

    def fork(self, timeline: int) -> WalWriter:
        """Another writer that leaves this one here: it begins with a copy of the segment."""
        child = copy.deepcopy(self)
        name = segment_name(self.timeline, self.lsn // SEGMENT, SEGMENT)
        begun = child.segments.get(name, bytearray(SEGMENT))
        child.timeline = timeline
        child.segments[segment_name(timeline, self.lsn // SEGMENT, SEGMENT)] = begun
        return child

    # -- records ----------------------------------------------------------------------------------

    def switch(self) -> Place:
        place = self.append(0, 0x40)
        self.lsn = -(-self.lsn // SEGMENT) * SEGMENT
        return place

    def fill(self, bytes_count: int = 16) -> Place:
        """A record that says nothing."""
        return self.append(0, 0x20, bytes(bytes_count))

    def fill_to(self, lsn: int) -> None:
        """Records that say nothing, so that the next one starts at `lsn` (mostly: see the end)."""
        while lsn - self.lsn > _PAGE:
            self.fill(4000)
        while lsn - self.lsn > 300:
            self.fill(100)
        if lsn - self.lsn >= 32:
            self.append(0, 0x20, bytes(lsn - self.lsn - 26))

    def commit(self, xid: int, time_us: int, *, abort: bool = False) -> Place:
        return self.append(1, 0x20 if abort else 0x00, struct.pack("<q", time_us), xid)

    def commit_nested(self, xid: int, time_us: int, subxids: list[int]) -> Place:
        main = struct.pack("<qIi", time_us, 0x02, len(subxids))
        return self.append(1, 0x80, main + struct.pack(f"<{len(subxids)}I", *subxids), xid)

    def prepare(self, xid: int, time_us: int) -> Place:
        return self.append(1, 0x10, struct.pack("<IIIIq", 0x57F94534, 0, xid, 5, time_us), xid)

    def end_prepared(self, xid: int, time_us: int, *, abort: bool = False) -> Place:
        main = struct.pack("<qII", time_us, 0x10, xid)
        return self.append(1, 0x80 | (0x40 if abort else 0x30), main)

    def point(self, name: str, time_us: int = 0) -> Place:
        return self.append(0, 0x70, struct.pack("<q64s", time_us, name.encode()))

    def checkpoint(
        self, redo_lsn: int, time: int, *, shutdown: bool = False, before: int = 0, to: int = 0
    ) -> Place:
        timelines = (to or self.timeline, before or self.timeline)
        head = struct.pack("<QII?3xi", redo_lsn, *timelines, True, 1)
        rest = struct.pack("<QIIIIIII4xqIII", 800, *[1] * 7, time, 0, 0, 0)
        return self.append(0, 0x00 if shutdown else 0x10, head + rest + bytes(4))

    def redo(self) -> Place:
        """The record of an online checkpoint's redo point; before 17 any record does."""
        return self.append(0, 0xE0, struct.pack("<i", 1)) if self.major >= 17 else self.fill()

    def running(self, *, open_count: int = 0, overflowed: bool = False, oldest: int = 800) -> Place:
        """What was open: XLOG_RUNNING_XACTS."""
        main = struct.pack("<ii?3xIII", open_count, 0, overflowed, 800, oldest, 799)
        return self.append(8, 0x10, main)

    def backup_end(self, start_lsn: int) -> Place:
        return self.append(0, 0x50, struct.pack("<Q", start_lsn))

    def parameters(self, *, connections: int = 100, prepared: int = 0, wal_level: int = 1) -> Place:
        values = (connections, 8, 10, prepared, 64, wal_level)
        return self.append(0, 0x60, struct.pack("<6i2?2x", *values, False, False))
