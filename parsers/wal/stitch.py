"""What crosses the boundary between two segments that were scanned apart.

`stitch` judges one boundary from what the two scans left of it: the checksum and the facts of a
record that runs over it, and the prev-link of the first record after it. `stitch_run` folds it
over segments that follow each other; one record may cross three of them and more.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from parsers.errors import ParseError
from parsers.lsn import format_lsn
from parsers.sentences import tr
from parsers.values import dataclass
from parsers.wal.completed import Completed, check_completed
from parsers.wal.damage import (
    Damage,
    DamageKind,
    continuation,
    length_damage,
    meaning_damage,
    prev_damage,
)
from parsers.wal.facts import Facts
from parsers.wal.fragment import HeadFragment, PartialRecord, join_head, with_total
from parsers.wal.scan import EndKind, SegmentHead, SegmentScan, SegmentTail


@dataclass(frozen=True, slots=True, kw_only=True)
class Stitch:
    """One boundary, judged."""

    facts: Facts  # of the record that ends after the boundary; empty when none does
    completed: Completed | None  # that record
    fragment: PartialRecord | None  # a record that runs through the whole next segment
    last_lsn: int | None  # of the record before the first one of the next segment
    damage: Damage | None


def stitch(tail: SegmentTail, head: SegmentHead) -> Stitch:
    """Join the end of a segment to the start of the next.

    Raises ValueError for segments that do not follow each other. A tail whose log ended, or was
    damaged, has nothing to join: that is the scan's finding, not the boundary's.
    """
    if head.lsn != tail.lsn:
        raise ValueError(
            tr(
                "{lsn} does not follow {before}",
                lsn=format_lsn(head.lsn),
                before=format_lsn(tail.lsn),
            )
        )
    if tail.end.kind not in (EndKind.FULL, EndKind.SWITCH):
        return _result(last_lsn=None)
    damage = _check_identity(tail, head) or _check_continuation(tail, head)
    if damage:
        return _result(damage=damage)
    if tail.fragment and head.fragment:
        return _join(tail.fragment, head.fragment, tail, head)
    return _result(last_lsn=tail.last_lsn, damage=_check_prev(tail.last_lsn, head))


def _result(
    *,
    facts: Facts | None = None,
    completed: Completed | None = None,
    fragment: PartialRecord | None = None,
    last_lsn: int | None = None,
    damage: Damage | None = None,
) -> Stitch:
    return Stitch(
        facts=facts or Facts(),
        completed=completed,
        fragment=fragment,
        last_lsn=last_lsn,
        damage=damage,
    )


def _check_identity(tail: SegmentTail, head: SegmentHead) -> Damage | None:
    if head.system_identifier != tail.system_identifier:
        detail = tr(
            "system identifier {found} after {before}",
            found=head.system_identifier,
            before=tail.system_identifier,
        )
        return Damage(kind=DamageKind.FOREIGN_SYSTEM, lsn=head.lsn, detail=detail)
    if head.timeline < tail.timeline:
        detail = tr(
            "page: timeline {timeline} after {before}",
            timeline=head.timeline,
            before=tail.timeline,
        )
        return Damage(kind=DamageKind.WRONG_TIMELINE, lsn=head.lsn, detail=detail)
    return None


def _check_continuation(tail: SegmentTail, head: SegmentHead) -> Damage | None:
    """Does the first page continue exactly what the segment before left open?"""
    left = tail.fragment.remaining if tail.fragment else tail.passing
    continued = head.fragment.remaining if head.fragment else None
    if head.overwrites and head.fragment:
        detail = tr("page: says both that a record continues and that it was overwritten")
        return Damage(kind=DamageKind.BAD_HEADER, lsn=head.lsn, detail=detail)
    if left == continued or (left is not None and head.overwrites):
        return None
    if tail.fragment and head.fragment and _fits(tail.fragment, head.fragment):
        fitting = tail.fragment.length + head.fragment.remaining
        return length_damage(tail.fragment.lsn, tail.fragment.total, fitting)
    return Damage(kind=DamageKind.BAD_HEADER, lsn=head.lsn, detail=continuation(continued, left))


def _fits(record: PartialRecord, piece: HeadFragment) -> bool:
    """Tell whether the record is sound with the length that the page claims for it."""
    return join_head(with_total(record, record.length + piece.remaining), piece).crc_holds


def _join(
    fragment: PartialRecord, piece: HeadFragment, tail: SegmentTail, head: SegmentHead
) -> Stitch:
    record = join_head(fragment, piece)
    if record.remaining:
        if head.first_lsn is None:
            return _result(fragment=record, last_lsn=tail.last_lsn)
        # A crash cut the record short inside this segment; what overwrites it was checked there.
        return _result(last_lsn=tail.last_lsn, damage=_check_prev(tail.last_lsn, head))
    damage = check_completed(record, tail.last_lsn)
    if damage:
        return _result(damage=damage)
    assert head.fragment_end_lsn is not None, "a fragment that does not run on has an end"
    completed = Completed(record, head.fragment_end_lsn)
    try:
        facts = completed.facts()
    except ParseError as error:
        return _result(damage=meaning_damage(record.lsn, error))
    return _result(
        facts=facts,
        completed=completed,
        last_lsn=record.lsn,
        damage=_check_prev(record.lsn, head),
    )


def _check_prev(expected: int | None, head: SegmentHead) -> Damage | None:
    prev, first = head.first_prev_lsn, head.first_lsn
    if expected is None or prev is None or first is None or prev == expected:
        return None
    return prev_damage(first, prev, expected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stitched:
    """A segment in its run: what is known of it once its neighbour before was read."""

    scan: SegmentScan
    boundary: Stitch | None  # with the segment before; None for the first of the run
    damage: Damage | None  # the first, of the boundary or of the segment


def stitch_run(scans: Iterable[SegmentScan]) -> Iterator[Stitched]:
    """Join scans of segments that follow each other, at depth records, in order.

    The run ends after the first damage or early end: nothing after it can be replayed. A record
    that began before the run is not judged.
    """
    tail: SegmentTail | None = None
    for scan in scans:
        boundary = stitch(tail, scan.head) if tail and scan.head else None
        damage = (boundary.damage if boundary else None) or scan.damage
        yield Stitched(scan=scan, boundary=boundary, damage=damage)
        if damage or scan.tail is None or scan.end.kind not in (EndKind.FULL, EndKind.SWITCH):
            return
        tail = follow_tail(scan.tail, boundary)


def follow_tail(tail: SegmentTail, boundary: Stitch | None) -> SegmentTail:
    """A segment's own tail, with what only the boundary before it knows."""
    if boundary is None:
        return tail
    fragment = boundary.fragment or tail.fragment
    last_lsn = tail.last_lsn if tail.last_lsn is not None else boundary.last_lsn
    return dataclasses.replace(tail, fragment=fragment, last_lsn=last_lsn)
