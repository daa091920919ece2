"""One WAL segment, read on its own: what it says it is, what happened in it, what is wrong with it.

A scan is local: it needs no neighbour, so scans run in any order, in parallel, on any machine, and
can be remembered. What crosses a segment's ends is left in `head` and `tail` for
`parsers.wal_stitch`. Validity follows the server's own reader,
src/backend/access/transam/xlogreader.c; see `parsers.wal_engine` for how records are walked.

The end of the log is not damage: `end` says how the records of the segment end, and `judge_end`
decides, given where the file comes from, whether they may end there.
"""

from __future__ import annotations

import dataclasses
import enum
import mmap
from dataclasses import dataclass
from typing import Literal

from parsers.lsn import format_lsn
from parsers.wal_collect import Collector
from parsers.wal_damage import Damage, DamageKind
from parsers.wal_engine import RecordReader, open_records
from parsers.wal_facts import Facts, OverwrittenRecord
from parsers.wal_fragment import HeadFragment, PartialRecord, start_head
from parsers.wal_identity import read_identity, refuse
from parsers.wal_page import (
    LongPageHeader,
    overwrite_flag,
)
from parsers.wal_pages import PageTable, is_zero, read_pages, rest_is_stale
from parsers.wal_record import RECORD_HEADER_BYTES
from parsers.wal_stream import Geometry

Depth = Literal["headers", "records"]


class EndKind(enum.Enum):
    """How the records of a segment end."""

    FULL = "full"  # they run to the segment's last byte; the last may run on
    SWITCH = "switch"  # an XLOG_SWITCH: the rest is empty on purpose
    ZEROS = "zeros"  # nothing was ever written behind
    RECYCLED = "recycled"  # behind are pages of an older segment whose file was reused
    DAMAGED = "damaged"  # see `damage`
    UNREAD = "unread"  # at depth headers, where only records could tell


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentEnd:
    """Where the records of a segment end. Nothing from `lsn` on can be replayed from it."""

    kind: EndKind
    lsn: int  # of a switch: behind its record; of FULL: the next segment's start


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentHead:
    """What the start of a segment owes to the one before."""

    lsn: int  # the segment's start
    timeline: int  # of its first page
    system_identifier: int
    fragment: HeadFragment | None  # bytes of a record of the segment before
    fragment_end_lsn: int | None  # where that record ends; None when it runs on
    overwrites: bool  # the record before was abandoned by a crash, and this begins anew
    first_lsn: int | None  # of the first record that starts here, whole or not; None: none does
    first_prev_lsn: int | None  # what that record says of the one before; None when it is split


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentTail:
    """What the end of a segment leaves to the one after."""

    lsn: int  # where the next segment starts
    timeline: int  # of its last page
    system_identifier: int
    fragment: PartialRecord | None  # a record that begins here and runs on
    passing: int | None  # bytes still to come of a record that runs through the whole segment
    last_lsn: int | None  # of the last complete record; None: none ended here
    end: SegmentEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentScan:
    """One reading of one segment."""

    depth: Depth
    start_lsn: int  # by the name; of a wrong address, where it was expected
    size_bytes: int  # of the buffer
    header: LongPageHeader | None  # None when the first page is none
    head: SegmentHead | None  # None when the first page cannot be used
    facts: Facts  # up to the damage; empty at depth headers
    tail: SegmentTail | None
    end: SegmentEnd
    damage: Damage | None  # the first; None: nothing is wrong with what was read

    @property
    def major(self) -> int | None:
        """PostgreSQL major version that wrote it."""
        return self.header.major if self.header else None


def scan_segment(
    buffer: bytes | bytearray | memoryview | mmap.mmap,
    *,
    name_timeline: int,
    segment_number: int,
    segment_size: int | None = None,
    system_identifier: int | None = None,
    depth: Depth = "records",
) -> SegmentScan:
    """Read one segment. Never raises for what the bytes are: that is `damage`.

    `name_timeline` and `segment_number` are from the file's name. `segment_size` and
    `system_identifier` are what the archive is known to have (from pg_control or another segment);
    None takes the segment's own word. Memory stays within a few windows of 2 MiB, apart from the
    buffer and the facts.
    """
    with memoryview(buffer) as view:
        header, refusal = read_identity(view, segment_size)
        size = segment_size or (header.segment_size if header else len(view)) or 1
        start_lsn = segment_number * size
        if header and not refusal:
            refusal = refuse(header, start_lsn, name_timeline, system_identifier)
        if refusal or not header:
            kind, detail = refusal or (DamageKind.BAD_HEADER, "no header")
            return _refused(view, header, start_lsn, depth, kind, detail)
        pages = min(len(view), size) // header.page_size
        geometry = Geometry(start_lsn, size, header.page_size, pages)
        table = read_pages(view, geometry, header, name_timeline)
        scan = _scan_headers if depth == "headers" else _scan_records
        return _judge_size(scan(view, geometry, header, table), geometry)


def _refused(
    view: memoryview,
    header: LongPageHeader | None,
    start_lsn: int,
    depth: Depth,
    kind: DamageKind,
    detail: str,
) -> SegmentScan:
    return SegmentScan(
        depth=depth,
        start_lsn=start_lsn,
        size_bytes=len(view),
        header=header,
        head=None,
        facts=Facts(),
        tail=None,
        end=SegmentEnd(kind=EndKind.DAMAGED, lsn=start_lsn),
        damage=Damage(kind=kind, lsn=start_lsn, detail=detail),
    )


def _judge_size(scan: SegmentScan, geometry: Geometry) -> SegmentScan:
    """A file of another size is refused by the server whole, whatever its records are."""
    size, expected = scan.size_bytes, geometry.segment_size
    if size == expected:
        return scan
    kind = DamageKind.TRUNCATED if size < expected else DamageKind.OVERSIZED
    lsn = geometry.start_lsn + min(size, expected)
    damage = Damage(kind=kind, lsn=lsn, detail=f"{size} bytes instead of {expected}")
    end = SegmentEnd(kind=EndKind.DAMAGED, lsn=scan.end.lsn)
    return dataclasses.replace(scan, damage=damage, end=end)


# -- the records ---------------------------------------------------------------------------------


def _scan_records(
    view: memoryview, geometry: Geometry, header: LongPageHeader, table: PageTable
) -> SegmentScan:
    reader = open_records(view, geometry, header, table)
    collector = Collector(header.major)
    damage = _read_records(reader, collector)
    facts = collector.facts()
    end, damage = _find_end(reader, facts, damage)
    return SegmentScan(
        depth="records",
        start_lsn=geometry.start_lsn,
        size_bytes=len(view),
        header=header,
        head=_head(reader, header, facts),
        facts=facts,
        tail=_tail(reader, header, facts, end),
        end=end,
        damage=damage,
    )


def _read_records(reader: RecordReader, collector: Collector) -> Damage | None:
    for batch in reader.read_all():
        collector.add(batch)
        if collector.damage:
            return collector.damage
    return reader.damage or _check_overwritten(reader, collector)


def _check_overwritten(reader: RecordReader, collector: Collector) -> Damage | None:
    """The first record on a page that overwrites must name the one that a crash cut short."""
    geometry = reader.geometry
    named = {
        (event.lsn, event.overwritten_lsn)
        for event in collector.events
        if isinstance(event, OverwrittenRecord)
    }
    for page, lsn in reader.abandoned:
        if (geometry.start_lsns(geometry.position_of_page(page)), lsn) not in named:
            detail = f"page: overwrites {format_lsn(lsn)}, but no record on it says so"
            at = geometry.page_lsn(page)
            return Damage(kind=DamageKind.BAD_HEADER, lsn=at, detail=detail)
    return None


def _find_end(
    reader: RecordReader, facts: Facts, damage: Damage | None
) -> tuple[SegmentEnd, Damage | None]:
    """How the records end, and the damage if that is how."""
    geometry, table = reader.geometry, reader.table
    stop = _stop_lsn(reader, facts)
    if damage:
        damage = _cut_by_zeros(reader, damage)
    elif reader.switch_lsn is not None:
        return SegmentEnd(kind=EndKind.SWITCH, lsn=stop), None
    elif reader.stopped:
        damage = _hole(reader)
    elif table.fault and not rest_is_stale(table, geometry, table.good):
        damage = table.fault
    elif not table.fault:
        return SegmentEnd(kind=EndKind.FULL, lsn=geometry.end_lsn), None
    if damage:
        return SegmentEnd(kind=EndKind.DAMAGED, lsn=stop), damage
    return SegmentEnd(kind=_behind(reader), lsn=stop), None


def _stop_lsn(reader: RecordReader, facts: Facts) -> int:
    """Where the records that can be replayed end."""
    if facts.end_lsn is not None:
        return facts.end_lsn
    fragment, geometry = reader.head, reader.geometry
    if fragment is None or fragment.runs_on or not fragment.length:
        return geometry.start_lsn
    return geometry.end_lsns(fragment.length + 7 & ~7)


def _behind(reader: RecordReader) -> EndKind:
    start = reader.table.good * reader.geometry.page_size
    return EndKind.ZEROS if is_zero(reader.buffer[start:]) else EndKind.RECYCLED


def _hole(reader: RecordReader) -> Damage | None:
    """Judge the place where a record should start and none does; None when the log ends there."""
    geometry, table = reader.geometry, reader.table
    lsn = geometry.start_lsns(reader.position)
    offset = lsn - geometry.start_lsn
    page_end = (offset // geometry.page_size + 1) * geometry.page_size
    rest = reader.buffer[offset:page_end]
    if not is_zero(rest[:RECORD_HEADER_BYTES]):
        length = int.from_bytes(rest[:4], "little")
        return Damage(kind=DamageKind.BAD_HEADER, lsn=lsn, detail=f"record: length {length}")
    is_last_page = page_end == table.good * geometry.page_size
    if is_zero(rest) and is_last_page and rest_is_stale(table, geometry, table.good):
        return None
    return Damage(kind=DamageKind.ZEROED, lsn=lsn, detail="zeros, with more WAL behind them")


def _cut_by_zeros(reader: RecordReader, damage: Damage) -> Damage:
    """Call a record that fails because the file is zeros from inside it on by its name."""
    if damage.kind not in (DamageKind.BAD_CRC, DamageKind.BAD_PREV_LINK):
        return damage
    # The last 8 bytes of the record, or of its header when already that is cut.
    end = reader.damage_end_lsn or damage.lsn + RECORD_HEADER_BYTES
    behind = end - 8 - reader.geometry.start_lsn
    if not is_zero(reader.buffer[behind : reader.geometry.segment_size]):
        return damage
    return Damage(kind=DamageKind.ZEROED, lsn=damage.lsn, detail="zeros from inside a record on")


def _head(reader: RecordReader, header: LongPageHeader, facts: Facts) -> SegmentHead:
    fragment = reader.head
    end_lsn = None
    if fragment and not fragment.runs_on:
        end_lsn = reader.geometry.end_lsns(fragment.length + 7 & ~7)
    first = facts.first_lsn
    if first is None and reader.carried:
        first = reader.carried.lsn
    return SegmentHead(
        lsn=reader.geometry.start_lsn,
        timeline=header.page.timeline,
        system_identifier=header.system_identifier,
        fragment=fragment,
        fragment_end_lsn=end_lsn,
        overwrites=bool(header.page.info & overwrite_flag(header.major)),
        first_lsn=first,
        first_prev_lsn=reader.first_prev_lsn,
    )


def _tail(
    reader: RecordReader, header: LongPageHeader, facts: Facts, end: SegmentEnd
) -> SegmentTail:
    head = reader.head
    whole = end.kind is EndKind.FULL and head is not None and head.runs_on and not facts.records
    return SegmentTail(
        lsn=reader.geometry.end_lsn,
        timeline=int(reader.table.headers["timeline"][max(reader.table.good - 1, 0)]),
        system_identifier=header.system_identifier,
        fragment=reader.carried if end.kind is EndKind.FULL else None,
        passing=head.remaining - head.length if whole and head else None,
        last_lsn=facts.last_lsn,
        end=end,
    )


# -- headers only --------------------------------------------------------------------------------


def _scan_headers(
    view: memoryview, geometry: Geometry, header: LongPageHeader, table: PageTable
) -> SegmentScan:
    end, damage = _end_by_headers(view, geometry, header, table)
    return SegmentScan(
        depth="headers",
        start_lsn=geometry.start_lsn,
        size_bytes=len(view),
        header=header,
        head=None,
        facts=Facts(),
        tail=None,
        end=end,
        damage=damage,
    )


def _end_by_headers(
    view: memoryview, geometry: Geometry, header: LongPageHeader, table: PageTable
) -> tuple[SegmentEnd, Damage | None]:
    """The end as far as page headers tell; the records of the last page tell a switch."""
    if not table.fault:
        return SegmentEnd(kind=EndKind.UNREAD, lsn=geometry.end_lsn), None
    reader = _last_records(view, geometry, header, table)
    if reader and reader.switch_lsn is not None:
        return SegmentEnd(kind=EndKind.SWITCH, lsn=reader.switch_lsn + 24), None
    if not rest_is_stale(table, geometry, table.good):
        return SegmentEnd(kind=EndKind.DAMAGED, lsn=table.fault.lsn), table.fault
    zeros = is_zero(view[table.good * geometry.page_size :])
    kind = EndKind.ZEROS if zeros else EndKind.RECYCLED
    return SegmentEnd(kind=kind, lsn=table.fault.lsn), None


def _last_records(
    view: memoryview, geometry: Geometry, header: LongPageHeader, table: PageTable
) -> RecordReader | None:
    """Read the records that start on the last good page; None when none does."""
    if not table.good:
        return None
    page = table.good - 1
    carry = max(int(table.carries(page, page + 1)[0]), 0)
    reader = open_records(view, geometry, header, table)
    reader.head = start_head(carry)
    reader.position = geometry.position_of_page(page) + (carry + 7 & ~7)
    if carry >= geometry.payload:
        return None
    for _ in reader.read(page, page + 1):
        pass
    return reader


# -- what an early end means ---------------------------------------------------------------------


def judge_end(scan: SegmentScan, *, may_end_early: bool) -> Damage | None:
    """The damage of a segment, given whether its records may end before the segment does.

    They may in the newest segment while it is in flight, in a `.partial`, and in the parent's
    segment at a fork. Anywhere else an end without a switch is a loss: PostgreSQL takes it for the
    end of the WAL and stops, or promotes, there.
    """
    if scan.damage or may_end_early:
        return scan.damage
    if scan.end.kind is EndKind.ZEROS:
        detail = "records end in zeros, without a switch"
        return Damage(kind=DamageKind.ZEROED, lsn=scan.end.lsn, detail=detail)
    if scan.end.kind is EndKind.RECYCLED:
        detail = "records end in pages of an older segment"
        return Damage(kind=DamageKind.WRONG_ADDRESS, lsn=scan.end.lsn, detail=detail)
    return None
