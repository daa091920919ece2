"""One WAL segment, read on its own: what it says it is, what happened in it, what is wrong with it.

A scan is local: it needs no neighbour, so scans run in any order, in parallel, on any machine, and
can be remembered. What crosses a segment's ends is left in `head` and `tail` for
`parsers.wal.stitch`. Validity follows the server's own reader,
src/backend/access/transam/xlogreader.c; see `parsers.wal.engine` for how records are walked.

The end of the log is not damage: `end` says how the records of the segment end, and `judge_end`
decides, given where the file comes from, whether they may end there.
"""

from __future__ import annotations

import dataclasses
import itertools
import mmap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from parsers.sentences import tr
from parsers.wal.damage import Damage, DamageKind
from parsers.wal.facts import Facts
from parsers.wal.fragment import feed_head, start_head, start_record
from parsers.wal.identity import read_identity, refuse
from parsers.wal.kernel import FULL, SWITCHED, Walked, walk_segment
from parsers.wal.page import LongPageHeader, overwrite_flag
from parsers.wal.segment_scan import (
    Depth,
    EndKind,
    SegmentEnd,
    SegmentHead,
    SegmentScan,
    SegmentTail,
)
from parsers.wal.stream import Geometry

if TYPE_CHECKING:
    from parsers.wal.journal import JournalWanted

__all__ = [
    "PIECE_BYTES", "Depth", "EndKind", "SegmentEnd", "SegmentHead", "SegmentScan", "SegmentTail",
    "judge_end", "scan_pieces", "scan_segment",
]  # fmt: skip

PIECE_BYTES: Final = 128 << 10  # whole pages of any size, and little to read after a switch


def scan_segment(
    buffer: bytes | bytearray | memoryview | mmap.mmap,
    *,
    name_timeline: int,
    segment_number: int,
    segment_size: int | None = None,
    system_identifier: int | None = None,
    depth: Depth = "records",
    journal: JournalWanted | None = None,
) -> SegmentScan:
    """Read one segment. Never raises for what the bytes are: that is `damage`.

    `journal` is given one where the compiled engine reads the segment, and else nothing.
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
            kind, detail = refusal or (DamageKind.BAD_HEADER, tr("no header"))
            return _refused(view, header, start_lsn, depth, kind, detail)
        pages = min(len(view), size) // header.page_size
        geometry = Geometry(start_lsn, size, header.page_size, pages)
        if depth == "records" and len(view) == size:
            walked = walk_segment([view], geometry, header, name_timeline, _catalogs(journal))
            found = _scan_walked(geometry, header, walked, name_timeline, view) if walked else None
            if found and walked:
                _hand_over(walked, header, journal)
                return found
        from parsers.wal import scan_columns as columns  # and numpy: only where it is needed

        table = columns.read_pages(view, geometry, header, name_timeline)
        scan = columns.scan_headers if depth == "headers" else columns.scan_records
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
    if size is None or size == expected:
        return scan
    kind = DamageKind.TRUNCATED if size < expected else DamageKind.OVERSIZED
    lsn = geometry.start_lsn + min(size, expected)
    damage = Damage(
        kind=kind,
        lsn=lsn,
        detail=tr("{size} bytes instead of {expected}", size=size, expected=expected),
    )
    end = SegmentEnd(kind=EndKind.DAMAGED, lsn=scan.end.lsn)
    return dataclasses.replace(scan, damage=damage, end=end)


# -- the records, as the kernel read them ---------------------------------------------------------


def scan_pieces(
    pieces: Iterator[memoryview],
    *,
    name_timeline: int,
    segment_number: int,
    segment_size: int,
    journal: JournalWanted | None = None,
) -> SegmentScan | None:
    """Read a sound segment piece by piece, so that no more than one is in memory.

    Pieces are of PIECE_BYTES; all of them together are as long as a segment. They are not asked
    for beyond what is needed. None: only `scan_segment`, given all the bytes, can tell.
    """
    first = next(pieces)
    header, refusal = read_identity(first, segment_size)
    start_lsn = segment_number * segment_size
    if header is None or refusal or refuse(header, start_lsn, name_timeline, None):
        return None
    pages = segment_size // header.page_size
    geometry = Geometry(start_lsn, segment_size, header.page_size, pages)
    pieces = itertools.chain([first], pieces)
    walked = walk_segment(pieces, geometry, header, name_timeline, _catalogs(journal))
    found = _scan_walked(geometry, header, walked, name_timeline) if walked else None
    if found and walked:
        _hand_over(walked, header, journal)
    return found


def _catalogs(journal: JournalWanted | None) -> frozenset[int] | None:
    return journal.catalogs if journal else None


def _hand_over(walked: Walked, header: LongPageHeader, wanted: JournalWanted | None) -> None:
    if wanted is None:
        return
    from parsers.wal.journal import counted_journal  # for `find` alone

    if found := counted_journal(walked, header.major, wanted.catalogs):
        wanted.take(*found)


def _scan_walked(
    geometry: Geometry,
    header: LongPageHeader,
    walked: Walked,
    name_timeline: int,
    view: memoryview | None = None,
) -> SegmentScan | None:
    """What the kernel accepted, as a scan.

    None where the records end early and there is no `view` of the whole segment to tell why, and
    where the pages say otherwise.
    """
    head = _walked_head(geometry, header, walked)
    timeline, carried, damage = walked.timeline, None, None
    if walked.carried:
        offset, seen = walked.carried
        carried = start_record(geometry.start_lsn + offset, seen, header.major)
    if walked.stop == FULL:
        end = SegmentEnd(kind=EndKind.FULL, lsn=geometry.end_lsn)
    elif walked.stop == SWITCHED:
        assert walked.facts.end_lsn is not None, "the switch was read"
        end = SegmentEnd(kind=EndKind.SWITCH, lsn=walked.facts.end_lsn)
    else:
        if not view:
            return None
        from parsers.wal import scan_columns as columns

        reader = columns.stopped_reader(view, geometry, header, name_timeline, walked)
        if not reader:
            return None
        end, damage = columns.find_end(reader, walked.facts, None)
        timeline = int(reader.table.headers["timeline"][reader.table.good - 1])
    return SegmentScan(
        depth="records",
        start_lsn=geometry.start_lsn,
        size_bytes=geometry.segment_size,
        header=header,
        head=head,
        facts=walked.facts,
        tail=SegmentTail(
            lsn=geometry.end_lsn,
            timeline=timeline,
            system_identifier=header.system_identifier,
            fragment=carried if end.kind is EndKind.FULL else None,
            passing=None,
            last_lsn=walked.facts.last_lsn,
            end=end,
        ),
        end=end,
        damage=damage,
    )


def _walked_head(geometry: Geometry, header: LongPageHeader, walked: Walked) -> SegmentHead:
    fragment = end_lsn = None
    if walked.head:
        fragment = feed_head(start_head(len(walked.head)), walked.head)
        end_lsn = geometry.end_lsns(fragment.length + 7 & ~7)
    return SegmentHead(
        lsn=geometry.start_lsn,
        timeline=header.page.timeline,
        system_identifier=header.system_identifier,
        fragment=fragment,
        fragment_end_lsn=end_lsn,
        overwrites=bool(header.page.info & overwrite_flag(header.major)),
        first_lsn=walked.facts.first_lsn,
        first_prev_lsn=walked.first_prev_lsn,
    )


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
        detail = tr("records end in zeros, without a switch")
        return Damage(kind=DamageKind.ZEROED, lsn=scan.end.lsn, detail=detail)
    if scan.end.kind is EndKind.RECYCLED:
        detail = tr("records end in pages of an older segment")
        return Damage(kind=DamageKind.WRONG_ADDRESS, lsn=scan.end.lsn, detail=detail)
    return None
