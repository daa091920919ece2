"""Records in pieces: what is known of one until its last byte has been seen.

A record may run over pages, windows of one scan, and segments that are scanned apart. The piece at
a segment's end (`PartialRecord`) has the record's header and the checksum so far; the piece at a
segment's start (`HeadFragment`) has bytes of a record that it knows nothing of.
"""

from __future__ import annotations

import dataclasses
import struct
from typing import Final

from parsers.values import dataclass
from parsers.wal.crc import crc32c, crc32c_join
from parsers.wal.record import (
    RECORD_HEADER_BYTES,
    RecordHeader,
    holds_facts,
    is_switch,
    parse_record_header,
)

# Records start at multiples of 8, so a segment ends with 8, 16, or all 24 bytes of a header.
_HEADER_REST: Final = 16
# A commit of four million subtransactions: beyond it a piece is checked, not decoded.
MAX_KEPT_BYTES: Final = 16 << 20
# A row's change with the pages that it may carry: kept whole, whatever it holds.
_SMALL_BYTES: Final = 32 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadFragment:
    """The bytes at a segment's start that belong to a record of a segment before."""

    remaining: int  # bytes of that record still to come, by the first page; these included
    length: int  # of them in this segment
    opening: bytes  # the first 16: a header's rest may be in them
    rest_crc: int  # CRC-32C of what follows the opening
    kept: bytes | None  # all the bytes; None beyond MAX_KEPT_BYTES

    @property
    def runs_on(self) -> bool:
        """True when the record does not end in this segment either."""
        return self.length < self.remaining


REST_OF_SWITCH: Final = {8: 0, 16: 8}  # bytes of it that are left -> where among them xl_info is


def ends_switch(head: HeadFragment) -> bool:
    """Tell whether the bytes end an XLOG_SWITCH: nothing follows it in the segment where it ends.

    It is nothing but a header, and what comes after the split always has the kind of record.
    """
    at = REST_OF_SWITCH.get(head.remaining)
    return at is not None and not head.runs_on and is_switch(head.opening[at + 1], head.opening[at])


def start_head(remaining: int) -> HeadFragment:
    """A fragment of which nothing has been seen yet."""
    return HeadFragment(remaining=remaining, length=0, opening=b"", rest_crc=0, kept=b"")


def feed_head(head: HeadFragment, data: bytes) -> HeadFragment:
    """Add the bytes that follow, as many of them as belong to the record."""
    data = data[: head.remaining - head.length]
    split = max(_HEADER_REST - head.length, 0)
    kept = None
    if head.kept is not None and len(head.kept) + len(data) <= MAX_KEPT_BYTES:
        kept = head.kept + data
    return dataclasses.replace(
        head,
        length=head.length + len(data),
        opening=head.opening + data[:split],
        rest_crc=crc32c(data[split:], head.rest_crc),
        kept=kept,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialRecord:
    """A record whose end has not been seen."""

    lsn: int
    total: int  # xl_tot_len
    length: int  # bytes seen so far
    opening: bytes  # the first 24 at most: the header
    body_crc: int  # CRC-32C of what follows the header
    major: int
    kept: bytes | None  # all the bytes, while they may have to be decoded

    @property
    def header(self) -> RecordHeader | None:
        """None while not all of it has been seen."""
        if len(self.opening) < RECORD_HEADER_BYTES:
            return None
        return parse_record_header(self.opening)

    @property
    def remaining(self) -> int:
        return self.total - self.length

    @property
    def crc_holds(self) -> bool:
        """True when the record is complete and its checksum is right."""
        header = self.header
        if header is None or self.remaining:
            return False
        return crc32c(self.opening[:20], self.body_crc) == header.crc


def start_record(lsn: int, data: bytes, major: int) -> PartialRecord:
    """A record of which `data` (8 bytes or more) has been seen."""
    (total,) = struct.unpack_from("<I", data)
    empty = PartialRecord(
        lsn=lsn, total=total, length=0, opening=b"", body_crc=0, major=major, kept=b""
    )
    return feed_record(empty, data)


def feed_record(record: PartialRecord, data: bytes) -> PartialRecord:
    """Add the bytes that follow, as many of them as belong to the record."""
    data = data[: record.remaining]
    split = max(RECORD_HEADER_BYTES - record.length, 0)
    opening = record.opening + data[:split]
    return dataclasses.replace(
        record,
        length=record.length + len(data),
        opening=opening,
        body_crc=crc32c(data[split:], record.body_crc),
        kept=_kept(record, opening, data),
    )


def join_head(record: PartialRecord, head: HeadFragment) -> PartialRecord:
    """Add what the next segment holds of the record, from its head fragment alone."""
    if head.kept is not None:
        return feed_record(record, head.kept)
    split = max(RECORD_HEADER_BYTES - record.length, 0)
    body_crc = crc32c(head.opening[split:], record.body_crc)
    rest = head.length - len(head.opening)
    return dataclasses.replace(
        record,
        length=record.length + head.length,
        opening=record.opening + head.opening[:split],
        body_crc=crc32c_join(body_crc, head.rest_crc, rest),
        kept=None,
    )


def with_total(record: PartialRecord, total: int) -> PartialRecord:
    """The same bytes under another length: to find out which of two claims is the damaged one."""
    opening = struct.pack("<I", total) + record.opening[4:]
    return dataclasses.replace(record, total=total, opening=opening)


def _kept(record: PartialRecord, opening: bytes, data: bytes) -> bytes | None:
    if record.kept is None or record.length + len(data) > MAX_KEPT_BYTES:
        return None
    if len(opening) == RECORD_HEADER_BYTES and record.total > _SMALL_BYTES:
        header = parse_record_header(opening)
        if not holds_facts(header.rmgr, header.info, record.major):
            return None
    return record.kept + data
