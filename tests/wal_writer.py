"""A writer of WAL, for what servers write too rarely: splits at chosen bytes, records of any size.

It shares nothing with the reader but the format: it goes byte by byte, as CopyXLogRecordToWAL does.
"""

from __future__ import annotations

import struct

import google_crc32c

PAGE = 8192
MIB = 1 << 20
SYSTEM = 7_000_000_000_000_000_001


def seal(rmgr: int, info: int, xid: int, prev: int, body: bytes) -> bytes:
    """A whole record: the header, with the checksum that belongs to it, and the body."""
    header = struct.pack("<IIQBB2x", 24 + len(body), xid, prev, info, rmgr)
    crc = google_crc32c.extend(google_crc32c.value(body), header)
    return header + struct.pack("<I", crc) + body


class WalWriter:
    """Records from a segment's start on; `segments()` gives the files."""

    def __init__(self, *, first_segment: int = 1, timeline: int = 1, magic: int = 0xD113) -> None:
        self.start = first_segment * MIB
        self.timeline, self.magic = timeline, magic
        self.out = bytearray()
        self.prev = 0

    @property
    def lsn(self) -> int:
        return self.start + len(self.out)

    @property
    def left(self) -> int:
        """Bytes to the segment's end."""
        return MIB - self.lsn % MIB

    def record(self, rmgr: int, info: int, xid: int, main: bytes) -> int:
        """Append a record; give the LSN of its header."""
        short = len(main) < 256
        mark = struct.pack("<BB", 255, len(main)) if short else struct.pack("<BI", 254, len(main))
        body = mark + main if main else b""
        return self.raw_record(rmgr, info, xid, body)

    def raw_record(self, rmgr: int, info: int, xid: int, body: bytes) -> int:
        """The same with all that stands after the header, sensible or not; the checksum holds."""
        if self.lsn % PAGE == 0:
            self._page_header(0)
        whole, self.prev = seal(rmgr, info, xid, self.prev, body), self.lsn
        self._write(whole)
        self._write_padding()
        return self.prev

    def message(self, size: int) -> int:
        """A record of `size` bytes in all, of a resource manager without facts."""
        main = size - 24 - (2 if size - 26 < 256 else 5)
        return self.record(21, 0, 0, b"\xa5" * max(main, 0))

    def commit(self, xid: int, time_us: int, subxids: tuple[int, ...] = ()) -> int:
        if not subxids:
            return self.record(1, 0x00, xid, struct.pack("<q", time_us))
        listed = struct.pack(f"<II{len(subxids)}I", 2, len(subxids), *subxids)
        return self.record(1, 0x80, xid, struct.pack("<q", time_us) + listed)

    def fill_to(self, gap: int) -> None:
        """Append messages until `gap` bytes, a multiple of 8, are left in the segment."""
        while self.left - gap > 2 * PAGE:
            self.message(4096)
        self.message(self.left - gap - 24 * ((self.left - gap) // PAGE + 1) - 128)
        while self.left - gap >= 56:
            self.message(32)
        if self.left > gap:
            self.message(self.left - gap)

    def fill_page_to(self, gap: int) -> None:
        """Append a message so that `gap` bytes, a multiple of 8, are left on the page."""
        if self.lsn % PAGE == 0:
            self._page_header(0)
        self.message(PAGE - self.lsn % PAGE - gap)

    def switch(self) -> int:
        lsn = self.record(0, 0x40, 0, b"")
        self.out += bytes(self.left % MIB)
        return lsn

    def segments(self) -> list[bytes]:
        data = bytes(self.out) + bytes(-len(self.out) % MIB)
        return [data[at : at + MIB] for at in range(0, len(data), MIB)]

    def _write(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            if self.lsn % PAGE == 0:
                self._page_header(len(data) - at)
            room = PAGE - self.lsn % PAGE
            self.out += data[at : at + room]
            at += room

    def _write_padding(self) -> None:
        self.out += bytes(-self.lsn % 8)

    def _page_header(self, remaining: int) -> None:
        first = self.lsn % MIB == 0
        info = (1 if remaining else 0) | (2 if first else 0)
        header = struct.pack("<HHIQI4x", self.magic, info, self.timeline, self.lsn, remaining)
        self.out += header + (struct.pack("<QII", SYSTEM, MIB, PAGE) if first else b"")
