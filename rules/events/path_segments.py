"""The WAL of one path of timelines, segment after segment, with its holes.

Unlike `rules.recovery.replay` it does not end where recovery would: what lies beyond a hole
happened too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from parsers.segment import segment_of
from parsers.sentences import tr
from parsers.values import dataclass
from parsers.wal.completed import Completed
from parsers.wal.facts import Facts
from parsers.wal.scan import EndKind, SegmentScan, SegmentTail
from parsers.wal.stitch import Stitch, follow_tail, stitch
from rules.model.restore_inputs import Wal
from rules.model.timelines import Stretch
from rules.recovery.replay import Served, serve

_RUN_MAX: Final = 4096  # absent segments that are told of one by one


class Extent(NamedTuple):
    """Segment numbers, both ends included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """One segment of the path."""

    segment: str
    number: int
    timeline: int
    archived: bool  # False: only a backup or a pg_wal holds it
    crossing: Facts  # the record that runs into it, if it begins in the chapter before
    completed: Completed | None  # that record's bytes
    inside: Facts
    end_lsn: int  # records from here on were not read, or are another timeline's
    flaw: str | None  # why what follows in the segment is not known; None: nothing is missing


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingSegment:
    """A segment of the path that is nowhere."""

    segment: str
    number: int
    count: int = 1  # with those after it that are told of no further


def extent_of(wal: Wal, path: tuple[Stretch, ...], begin_lsn: int | None) -> Extent | None:
    """From `begin_lsn` (None: the oldest segment of the path) to the newest; None without any."""
    size = wal.segment_size
    newest = wal.newest_names()
    oldest: list[int] = []
    last: list[int] = []
    wanted = {f"{stretch.timeline:08X}": stretch for stretch in path}
    for name in wal.names:
        stretch = wanted.get(name[:8])
        if stretch is None:
            continue
        number = _number(name, size)
        if stretch.end_lsn is None or number <= segment_of(stretch.end_lsn, size):
            oldest.append(number)
    for stretch in path:
        name = newest.get(stretch.timeline, "")
        if name:
            end = stretch.end_lsn
            limit = _number(name, size) if end is None else segment_of(end, size)
            last.append(min(_number(name, size), limit))
    if not oldest or not last:
        return None
    first = min(oldest) if begin_lsn is None else segment_of(begin_lsn, size)
    return Extent(first, max(*last, first))


def _number(name: str, size: int) -> int:
    return int(name[8:16], 16) * (0x1_0000_0000 // size) + int(name[16:], 16)


def read_chapters(
    wal: Wal, path: tuple[Stretch, ...], extent: Extent, also: Iterable[str] = ()
) -> Iterator[Chapter | MissingSegment]:
    """Give every segment of an extent in order, or that it is nowhere.

    `also` names what may be there besides `wal.names`. Of a very long run that is nowhere only the
    two ends are given: one stray name must not make it endless.
    """
    tail: SegmentTail | None = None
    held = set(_numbers((*wal.names, *also), path, wal.segment_size))
    for number, count in _steps(extent, sorted(held)):
        if count > 1:
            timeline = _timeline_of(path, number, wal.segment_size)
            yield MissingSegment(segment=wal.name(timeline, number), number=number, count=count)
            tail = None
            continue
        served = serve(wal, path, number, 0)
        if served is None or not _is_on_path(served, path, number, wal.segment_size):
            timeline = _timeline_of(path, number, wal.segment_size)
            yield MissingSegment(segment=wal.name(timeline, number), number=number)
            tail = None
            continue
        boundary = _boundary(tail, served.scan)
        yield _chapter(served, path, number, boundary)
        ends = served.scan.end.kind
        whole = served.scan.damage is None and ends in (EndKind.FULL, EndKind.SWITCH)
        tail = follow_tail(served.scan.tail, boundary) if whole and served.scan.tail else None


def _numbers(names: Iterable[str], path: tuple[Stretch, ...], size: int) -> Iterator[int]:
    """The segment numbers of the names that are of a path's timelines."""
    wanted = {f"{stretch.timeline:08X}" for stretch in path}
    return (_number(name, size) for name in names if name[:8] in wanted)


def _steps(extent: Extent, held: Sequence[int]) -> Iterator[tuple[int, int]]:
    """(number, 1) for each segment; (first, count - 1) and (last, 1) for a long run of absent."""
    expected = extent.first
    inside = (number for number in held if extent.first <= number <= extent.last)
    for number in (*inside, extent.last + 1):
        absent = number - expected
        if absent > _RUN_MAX:
            yield expected, absent - 1
            yield number - 1, 1
        else:
            yield from ((each, 1) for each in range(expected, number))
        if number <= extent.last:
            yield number, 1
        expected = number + 1


def _timeline_of(path: tuple[Stretch, ...], number: int, size: int) -> int:
    """The timeline whose file serves a segment: the newest that begins in or before it."""
    begun = [s.timeline for s in path if segment_of(s.begin_lsn, size) <= number]
    return (begun or [path[0].timeline])[-1]


def _is_on_path(served: Served, path: tuple[Stretch, ...], number: int, size: int) -> bool:
    """A parent's file after the fork is another history, though recovery would take it."""
    end_lsn = _end_on_path(served.timeline, path)
    return end_lsn is None or number * size < end_lsn


def _end_on_path(timeline: int, path: tuple[Stretch, ...]) -> int | None:
    return next((stretch.end_lsn for stretch in path if stretch.timeline == timeline), None)


def _boundary(tail: SegmentTail | None, scan: SegmentScan) -> Stitch | None:
    if tail is None or scan.head is None or tail.lsn != scan.head.lsn:
        return None
    boundary = stitch(tail, scan.head)
    return None if boundary.damage else boundary


def _chapter(
    served: Served, path: tuple[Stretch, ...], number: int, boundary: Stitch | None
) -> Chapter:
    scan, end_lsn = served.scan, _end_on_path(served.timeline, path)
    inside, crossing = scan.facts, boundary.facts if boundary else Facts()
    if end_lsn is not None:
        inside, crossing = facts_before(inside, end_lsn), facts_before(crossing, end_lsn)
    known_lsn, flaw = scan.facts.end_lsn or scan.start_lsn, scan.damage
    return Chapter(
        segment=served.segment,
        number=number,
        timeline=served.timeline,
        archived=served.archived,
        crossing=crossing,
        completed=boundary.completed if boundary else None,
        inside=inside,
        end_lsn=known_lsn if end_lsn is None else min(known_lsn, end_lsn),
        flaw=tr("{kind}: {detail}", kind=flaw.kind.value, detail=flaw.detail) if flaw else None,
    )


def facts_before(facts: Facts, lsn: int) -> Facts:
    """Only what starts before `lsn`."""
    if facts.last_lsn is None or facts.last_lsn < lsn:
        return facts
    return replace(
        facts,
        transactions=facts.transactions.before(lsn),
        events=tuple(event for event in facts.events if event.lsn < lsn),
    )
