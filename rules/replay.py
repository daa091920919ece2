"""The WAL in the order in which recovery reads it, up to what it takes for the end.

Follows XLogPageRead and XLogFileReadAnyTLI in xlogrecovery.c. For each segment the server tries
the timelines of the target's history, newest first, skipping those that begin in a later segment
and never going below the timeline of the file that it read last; of each timeline first the
archive, then its own pg_wal. It does *not* check that an older timeline's file still belongs to
the path: where the first segment of a new timeline is absent, the old branch is replayed past the
fork. Whatever cannot be read ends the WAL in silence, except an archived file of the wrong size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, NamedTuple

from parsers.segment import parse_segment_name, segment_of
from parsers.wal_damage import DamageKind
from parsers.wal_facts import Facts
from parsers.wal_scan import EndKind, SegmentScan, SegmentTail
from parsers.wal_stitch import Stitch, follow_tail, stitch
from rules.outcome import Obstacle
from rules.restore import Wal
from rules.scans import Joined
from rules.server_messages import wrong_size
from rules.timelines import Stretch

ABSENT, UNREAD = "absent", "unread"
# What lies behind these is not known to us, though the server may read it without trouble.
_UNREADABLE: Final = (
    DamageKind.UNREADABLE,
    DamageKind.ENCRYPTED,
    DamageKind.CONFLICTING_COPIES,
)
_ENDINGS: Final = {
    EndKind.ZEROS: ("zeros", "nothing was written behind the last record"),
    EndKind.RECYCLED: ("recycled", "the pages behind the last record are older WAL"),
    EndKind.UNREAD: (UNREAD, "its records were not read"),
}


class Piece(NamedTuple):
    """What one more file adds: a record that crosses into it, then those that lie in it."""

    segment: str
    crossing: Facts
    inside: Facts  # a switch ends it where the segment ends

    def stretches(self) -> Iterator[Facts]:
        """Those of the two parts that have records."""
        return (facts for facts in (self.crossing, self.inside) if facts.last_lsn is not None)


class Leap(NamedTuple):
    """What a stretch of whole segments adds, at once."""

    crossing: Facts  # of a record that crosses into the first of them
    joined: Joined

    @property
    def inside(self) -> Facts:
        """What lies in them and crosses between them."""
        return replace(self.joined.whole.scan.facts, end_lsn=self.joined.whole.end_lsn)


MayLeap = Callable[[Facts, Joined], bool]


class Served(NamedTuple):
    """The file that the server picks for a segment number."""

    segment: str
    timeline: int
    scan: SegmentScan
    archived: bool


def replay(
    wal: Wal, path: tuple[Stretch, ...], begin_lsn: int, major: int
) -> Iterator[Piece | Obstacle]:
    """Give piece after piece from the record at `begin_lsn` on, and last what ends the WAL."""
    for step in replay_fast(wal, path, begin_lsn, major, lambda crossing, joined: False):
        assert not isinstance(step, Leap), "nobody may leap here"
        yield step


def replay_fast(
    wal: Wal, path: tuple[Stretch, ...], begin_lsn: int, major: int, may_leap: MayLeap
) -> Iterator[Piece | Leap | Obstacle]:
    """The same, over whole stretches in one step where the caller needs no more of them.

    `may_leap` is asked when everything before has been replayed.
    """
    number = segment_of(begin_lsn, wal.segment_size)
    tail: SegmentTail | None = None
    position, timeline = begin_lsn, 0
    while True:
        served = serve(wal, path, number, timeline)
        if served is None:
            yield _absent(wal, path, number, position)
            return
        obstacle = _refuse(served, path, wal, position, major)
        if obstacle or served.scan.head is None:
            yield obstacle or _damaged(served, position)
            return
        boundary = stitch(tail, served.scan.head) if tail else None
        if tail is None and _is_hidden(served.scan, begin_lsn):
            scan = wal.scan_from(served.segment, begin_lsn)
            if scan is None:
                yield _unread(served, position, "damage before the first record needed hides it")
                return
            served = served._replace(scan=scan)
        joined = _joined(wal, path, served, boundary) if boundary else None
        if joined and boundary and may_leap(boundary.facts, joined):
            leap = Leap(boundary.facts, joined)
            position = leap.inside.end_lsn or position
            yield leap
            assert joined.whole.scan.tail is not None, "they are whole"
            tail = joined.whole.scan.tail
            number, timeline = number + len(joined.names), served.timeline
            continue
        piece = _piece(served, boundary, begin_lsn if tail is None else None)
        position = piece.inside.end_lsn or piece.crossing.end_lsn or position
        yield piece
        obstacle = _end(served, boundary, position)
        if obstacle or served.scan.tail is None:
            yield obstacle or _damaged(served, position)
            return
        tail = follow_tail(served.scan.tail, boundary)
        number, timeline = number + 1, served.timeline


def serve(wal: Wal, path: tuple[Stretch, ...], number: int, current: int) -> Served | None:
    """Choose the file for a segment. `current` is the timeline of the file read before, 0: none."""
    for stretch in reversed(path):
        if stretch.timeline < current:
            break
        if number < segment_of(stretch.begin_lsn, wal.segment_size):
            continue
        name = wal.name(stretch.timeline, number)
        for archived, read in ((True, wal.archived), (False, wal.carried)):
            scan = read(name)
            if scan is not None:
                return Served(name, stretch.timeline, scan, archived)
    return None


def _joined(wal: Wal, path: tuple[Stretch, ...], served: Served, boundary: Stitch) -> Joined | None:
    """The stretch that begins with a file, if the server takes it from one end to the other."""
    joined = wal.joined(served.segment) if served.archived and not boundary.damage else None
    if joined is None:
        return None
    last = parse_segment_name(joined.names[-1], wal.segment_size)[1]
    begun = [s.timeline for s in path if segment_of(s.begin_lsn, wal.segment_size) <= last]
    return joined if begun[-1] == served.timeline else None


# -- what a piece holds --------------------------------------------------------------------------


def _piece(served: Served, boundary: Stitch | None, begin_lsn: int | None) -> Piece:
    crossing = boundary.facts if boundary else Facts()
    if boundary and boundary.damage:
        return Piece(served.segment, crossing, Facts())
    scan, inside = served.scan, served.scan.facts
    if scan.end.kind is EndKind.SWITCH and scan.header:
        inside = replace(inside, end_lsn=scan.start_lsn + scan.header.segment_size)
    if begin_lsn is not None:
        inside = facts_from(inside, begin_lsn)
    return Piece(served.segment, crossing, inside)


def facts_from(facts: Facts, lsn: int) -> Facts:
    """Only what starts at `lsn`, the start of a record, or behind it."""
    if facts.first_lsn is None or facts.last_lsn is None or lsn <= facts.first_lsn:
        return facts
    if facts.last_lsn < lsn:
        return Facts()
    return replace(
        facts,
        first_lsn=lsn,
        transactions=facts.transactions.behind(lsn),
        events=tuple(event for event in facts.events if event.lsn >= lsn),
    )


# -- what ends it --------------------------------------------------------------------------------


def _absent(wal: Wal, path: tuple[Stretch, ...], number: int, position: int) -> Obstacle:
    begun = [s for s in path if segment_of(s.begin_lsn, wal.segment_size) <= number]
    name = wal.name((begun or path)[-1].timeline, number)
    return Obstacle(kind=ABSENT, segment=name, lsn=position, detail=f"{name} is not there")


def _unread(served: Served, position: int, detail: str) -> Obstacle:
    return Obstacle(
        kind=UNREAD, segment=served.segment, lsn=position, detail=f"{served.segment}: {detail}"
    )


def _refuse(
    served: Served, path: tuple[Stretch, ...], wal: Wal, position: int, major: int
) -> Obstacle | None:
    """Why not even the first page of a file is used."""
    scan = served.scan
    if scan.damage and scan.damage.kind in _UNREADABLE:
        return _unread(served, position, scan.damage.detail)
    if served.archived and scan.size_bytes != wal.segment_size:
        obstacle = _damaged(served, position)
        fatal = wrong_size(served.segment, scan.size_bytes, wal.segment_size)
        return replace(obstacle, fatal=fatal)
    if scan.header and scan.header.major != major:
        detail = f"{served.segment}: written by PostgreSQL {scan.header.major}, not {major}"
        return Obstacle(
            kind=DamageKind.BAD_HEADER, segment=served.segment, lsn=position, detail=detail
        )
    if scan.depth == "headers":
        return _unread(served, position, "its records were not read")
    if scan.head and scan.head.timeline not in {stretch.timeline for stretch in path}:
        detail = f"{served.segment}: its pages are of timeline {scan.head.timeline}, off the path"
        return Obstacle(
            kind=DamageKind.WRONG_TIMELINE, segment=served.segment, lsn=position, detail=detail
        )
    return None


def _is_hidden(scan: SegmentScan, begin_lsn: int) -> bool:
    """Tell whether the scan stopped before the place where replay would start."""
    return scan.damage is not None and scan.damage.lsn < begin_lsn


def _damaged(served: Served, position: int) -> Obstacle:
    damage = served.scan.damage
    kind = damage.kind if damage else DamageKind.BAD_HEADER
    detail = f"{served.segment}: {damage.detail if damage else 'cannot be read'}"
    return Obstacle(kind=kind, segment=served.segment, lsn=position, detail=detail)


def _end(served: Served, boundary: Stitch | None, position: int) -> Obstacle | None:
    """What ends the WAL in this file; None when replay goes on behind it."""
    if boundary and boundary.damage:
        detail = f"{served.segment}: {boundary.damage.detail}"
        return Obstacle(
            kind=boundary.damage.kind, segment=served.segment, lsn=position, detail=detail
        )
    if served.scan.damage:
        return _damaged(served, position)
    ending = _ENDINGS.get(served.scan.end.kind)
    if ending is None:
        return None
    kind, detail = ending
    return Obstacle(
        kind=kind, segment=served.segment, lsn=position, detail=f"{served.segment}: {detail}"
    )
