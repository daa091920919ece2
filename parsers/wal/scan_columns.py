"""A segment as the numpy engine reads it: its records, or its page headers alone, and how they end.

`parsers.wal.scan` asks for it where the compiled engine is not, and where that one stopped.
"""

from __future__ import annotations

from parsers.lsn import format_lsn
from parsers.sentences import tr
from parsers.wal.collect import Collector
from parsers.wal.damage import Damage, DamageKind
from parsers.wal.engine import RecordReader, open_records
from parsers.wal.facts import Facts, OverwrittenRecord
from parsers.wal.fragment import start_head
from parsers.wal.identity import is_zero
from parsers.wal.kernel import STOPPED, Walked
from parsers.wal.page import LongPageHeader, overwrite_flag
from parsers.wal.pages import PageTable, read_pages, rest_is_stale
from parsers.wal.record import RECORD_HEADER_BYTES
from parsers.wal.segment_scan import EndKind, SegmentEnd, SegmentHead, SegmentScan, SegmentTail
from parsers.wal.stream import Geometry

__all__ = ["find_end", "read_pages", "scan_headers", "scan_records", "stopped_reader"]


def scan_records(
    view: memoryview, geometry: Geometry, header: LongPageHeader, table: PageTable
) -> SegmentScan:
    reader = open_records(view, geometry, header, table)
    collector = Collector(header.major)
    damage = _read_records(reader, collector)
    facts = collector.facts()
    end, damage = find_end(reader, facts, damage)
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
            reader.carried = None  # it begins after the damage
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
            detail = tr("page: overwrites {lsn}, but no record on it says so", lsn=format_lsn(lsn))
            at = geometry.page_lsn(page)
            return Damage(kind=DamageKind.BAD_HEADER, lsn=at, detail=detail)
    return None


def find_end(
    reader: RecordReader, facts: Facts, damage: Damage | None
) -> tuple[SegmentEnd, Damage | None]:
    """How the records end, and the damage if that is how."""
    geometry, table = reader.geometry, reader.table
    stop = _stop_lsn(reader, facts)
    if damage:
        damage = _cut_by_zeros(reader, damage)
    elif reader.switch_end_lsn is not None:
        return SegmentEnd(kind=EndKind.SWITCH, lsn=stop), None
    elif reader.stopped:
        damage = _hole(reader)
    elif table.fault and not rest_is_stale(table, geometry, table.good):
        damage = table.fault
    elif not table.fault:
        return SegmentEnd(kind=EndKind.FULL, lsn=geometry.end_lsn), None
    if damage:
        return SegmentEnd(kind=EndKind.DAMAGED, lsn=stop), damage
    return SegmentEnd(kind=_kind_of_end(reader), lsn=stop), None


def _stop_lsn(reader: RecordReader, facts: Facts) -> int:
    """Where the records that can be replayed end."""
    if facts.end_lsn is not None:
        return facts.end_lsn
    fragment, geometry = reader.head, reader.geometry
    if fragment is None or fragment.runs_on or not fragment.length:
        return geometry.start_lsn
    return geometry.end_lsns(fragment.length + 7 & ~7)


def _kind_of_end(reader: RecordReader) -> EndKind:
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
        return Damage(
            kind=DamageKind.BAD_HEADER, lsn=lsn, detail=tr("record: length {length}", length=length)
        )
    is_last_page = page_end == table.good * geometry.page_size
    if is_zero(rest) and is_last_page and rest_is_stale(table, geometry, table.good):
        return None
    return Damage(kind=DamageKind.ZEROED, lsn=lsn, detail=tr("zeros, with more WAL after them"))


def _cut_by_zeros(reader: RecordReader, damage: Damage) -> Damage:
    """Call a record that fails because the file is zeros from inside it on by its name."""
    if damage.kind not in (DamageKind.BAD_CRC, DamageKind.BAD_PREV_LINK):
        return damage
    # The last 8 bytes of the record, or of its header when already that is cut.
    end = reader.damage_end_lsn or damage.lsn + RECORD_HEADER_BYTES
    after = end - 8 - reader.geometry.start_lsn
    if not is_zero(reader.buffer[after : reader.geometry.segment_size]):
        return damage
    return Damage(
        kind=DamageKind.ZEROED, lsn=damage.lsn, detail=tr("zeros from inside a record on")
    )


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


def stopped_reader(
    view: memoryview,
    geometry: Geometry,
    header: LongPageHeader,
    name_timeline: int,
    walked: Walked,
) -> RecordReader | None:
    """A reader that stands where the kernel stopped before the segment's end."""
    table = read_pages(view, geometry, header, name_timeline)
    reader = open_records(view, geometry, header, table)
    if walked.stop != STOPPED:
        return reader if table.good == walked.pages else None
    page = walked.pages
    in_page = walked.stop_offset - geometry.start_of_payload(page)
    reader.position = geometry.position_of_page(page) + in_page
    reader.stopped = True
    return reader if table.good > page else None


# -- headers only --------------------------------------------------------------------------------


def scan_headers(
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
    if reader and reader.switch_end_lsn is not None:
        return SegmentEnd(kind=EndKind.SWITCH, lsn=reader.switch_end_lsn), None
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
