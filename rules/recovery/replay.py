"""The WAL in the order in which recovery reads it, up to what it takes for the end.

Follows XLogPageRead and XLogFileReadAnyTLI in xlogrecovery.c. For each segment the server tries
the timelines of the target's history, newest first, skipping those that begin in a later segment
and never going below the timeline of the file that it read last; of each timeline first the
archive, then its own pg_wal. It does *not* check that an older timeline's file still belongs to
the path: where the first segment of a new timeline is absent, the old branch is replayed past the
fork. Nor does it hold a page's timeline to the file's name: the path must have it, and ReadRecord
asks so after it has read a record whole. Whatever cannot be read ends the WAL in silence, except an
archived file of the wrong size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, NamedTuple

from parsers.segment import segment_of
from parsers.sentences import tr
from parsers.wal.damage import DamageKind
from parsers.wal.facts import Facts
from parsers.wal.join import TransactionSummary
from parsers.wal.page import ANY_TIMELINE, first_record_lsn
from parsers.wal.scan import EndKind, SegmentScan, SegmentTail
from parsers.wal.stitch import Stitch, follow_tail, stitch
from rules.model.goal import Goal
from rules.model.outcome import Obstacle
from rules.model.restore_inputs import Wal
from rules.model.timelines import Stretch
from rules.recovery.server_messages import wrong_size

ABSENT, UNREAD = "absent", "unread"
# What follows these is not known to us, though the server may read it without trouble.
_UNREADABLE: Final = (
    DamageKind.UNREADABLE,
    DamageKind.ENCRYPTED,
    DamageKind.CONFLICTING_COPIES,
)
_ENDINGS: Final = {
    EndKind.ZEROS: ("zeros", tr("nothing was written after the last record")),
    EndKind.RECYCLED: ("recycled", tr("the pages after the last record are older WAL")),
    EndKind.UNREAD: (UNREAD, tr("its records were not read")),
}


class Piece(NamedTuple):
    """What more files add: a record that crosses into the first, then those that lie in them.

    It is one file, or several that are whole and hold nothing that could end the recovery.
    """

    segments: tuple[str, ...]
    crossing: Facts
    inside: Facts  # a switch ends it, or what crosses, where the segment ends
    summary: TransactionSummary | None = None  # of several files, whose `inside` has no single ones

    def stretches(self) -> Iterator[Facts]:
        """Those of the two parts that have records."""
        return (facts for facts in (self.crossing, self.inside) if facts.last_lsn is not None)

    def bytes_after(self, lsn: int) -> int:
        """About how many bytes of records follow a place in its first file."""
        if self.summary is not None or self.inside.last_lsn is None:
            return size_of_records(self.inside)
        return self.inside.last_lsn - lsn


def size_of_records(facts: Facts) -> int:
    """In bytes: segments that a switch left almost empty have few."""
    return sum(count.bytes for count in facts.by_rmgr)


class Until(NamedTuple):
    """What a piece of several files must not hold: it is given file by file there."""

    goal: Goal
    min_recovery_lsn: int


class Served(NamedTuple):
    """The file that the server picks for a segment number."""

    segment: str
    timeline: int
    scan: SegmentScan
    archived: bool


def replay(
    wal: Wal,
    path: tuple[Stretch, ...],
    begin_lsn: int,
    major: int,
    until: Until | None = None,
) -> Iterator[Piece | Obstacle]:
    """Give piece after piece from the record at `begin_lsn` on, and last what ends the WAL.

    Without `until`, every file is a piece of its own.
    """
    number = segment_of(begin_lsn, wal.segment_size)
    tail: SegmentTail | None = None
    position, timeline = begin_lsn, 0
    while True:
        served = serve(wal, path, number, timeline)
        if served is None:
            yield _absent(wal, path, number, position)
            return
        served = _with_later_pages(served, wal, path)
        obstacle = _refuse(served, path, wal, position, major)
        obstacle = obstacle or (None if tail else _foreign(served, wal, position))
        if obstacle or served.scan.head is None:
            yield _with_refused(obstacle or _damaged(served, position), wal, tail)
            return
        boundary = stitch(tail, served.scan.head) if tail else None
        if tail is None and _is_hidden(served.scan, begin_lsn):
            scan = wal.scan_from(served.segment, begin_lsn, None)
            if scan is None:
                yield _unread(
                    served, position, tr("damage before the first record needed hides it")
                )
                return
            served = served._replace(scan=scan)
        stretch = wal.stretch(served.segment) if until and served.archived else None
        if (
            stretch and until and boundary and not boundary.damage
            and not stretch.may_contain(until.goal)
            and not stretch.holds(until.min_recovery_lsn)
            and _is_taken_whole(wal, path, number + len(stretch.names) - 1, served.timeline)
        ):  # fmt: skip
            piece = Piece(stretch.names, boundary.facts, stretch.facts, stretch.summary)
            position = piece.inside.end_lsn or position
            yield piece
            tail = stretch.tail
            number, timeline = number + len(stretch.names), served.timeline
            continue
        piece = _piece(served, boundary, begin_lsn if tail is None else None)
        position = piece.inside.end_lsn or piece.crossing.end_lsn or position
        yield piece
        obstacle = _end(served, boundary, position)
        if obstacle or served.scan.tail is None:
            yield _with_refused(obstacle or _damaged(served, position), wal, tail)
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
                scan = scan if archived else _as_in_pg_wal(scan)
                return Served(name, stretch.timeline, scan, archived)
    return None


def is_readable(scan: SegmentScan) -> bool:
    """Tell whether a file's records were read, as far as they are sound."""
    closed = scan.damage is not None and scan.damage.kind in _UNREADABLE
    return not closed and scan.depth == "records"


def _as_in_pg_wal(scan: SegmentScan) -> SegmentScan:
    """The server minds no file's size in pg_wal: of what it does not read, all may be missing."""
    if scan.damage is None or scan.tail is None:
        return scan
    end, kind = scan.tail.end, scan.damage.kind
    is_longer = kind is DamageKind.OVERSIZED and end.kind is not EndKind.DAMAGED
    is_skipped = kind is DamageKind.TRUNCATED and end.kind is EndKind.SWITCH
    return replace(scan, damage=None, end=end) if is_longer or is_skipped else scan


def _with_later_pages(served: Served, wal: Wal, path: tuple[Stretch, ...]) -> Served:
    """Pages of a later timeline than the file's name are read while the path has their timeline."""
    if served.scan.damage is None or served.scan.damage.kind is not DamageKind.WRONG_TIMELINE:
        return served
    timelines = {stretch.timeline for stretch in path}
    scan = wal.scan_from(served.segment, None, max(timelines))
    if scan is None or scan.head is None or scan.tail is None:
        return served
    expected = {scan.head.timeline, scan.tail.timeline} <= timelines
    return served._replace(scan=scan) if expected else served


def _is_taken_whole(wal: Wal, path: tuple[Stretch, ...], last: int, timeline: int) -> bool:
    """Tell whether the server takes all files up to number `last` from this timeline."""
    begun = [s.timeline for s in path if segment_of(s.begin_lsn, wal.segment_size) <= last]
    return begun[-1] == timeline


# -- what a piece holds --------------------------------------------------------------------------


def _piece(served: Served, boundary: Stitch | None, begin_lsn: int | None) -> Piece:
    crossing = boundary.facts if boundary else Facts()
    if boundary and boundary.damage:
        return Piece((served.segment,), crossing, Facts())
    scan, inside = served.scan, served.scan.facts
    if scan.end.kind is EndKind.SWITCH and scan.header:
        end_lsn = scan.start_lsn + scan.header.segment_size
        inside = replace(inside, end_lsn=end_lsn)
        if inside.last_lsn is None and crossing.last_lsn is not None:  # the switch is what crosses
            crossing = replace(crossing, end_lsn=end_lsn)
    if begin_lsn is not None:
        inside = facts_from(inside, begin_lsn)
    return Piece((served.segment,), crossing, inside)


def facts_from(facts: Facts, lsn: int) -> Facts:
    """Only what starts at `lsn`, the start of a record, or after it."""
    if facts.first_lsn is None or facts.last_lsn is None or lsn <= facts.first_lsn:
        return facts
    if facts.last_lsn < lsn:
        return Facts()
    return replace(
        facts,
        first_lsn=lsn,
        transactions=facts.transactions.from_lsn(lsn),
        events=tuple(event for event in facts.events if event.lsn >= lsn),
    )


# -- what ends it --------------------------------------------------------------------------------


def _absent(wal: Wal, path: tuple[Stretch, ...], number: int, position: int) -> Obstacle:
    begun = [s for s in path if segment_of(s.begin_lsn, wal.segment_size) <= number]
    name = wal.name((begun or path)[-1].timeline, number)
    return Obstacle(
        kind=ABSENT, segment=name, lsn=position, detail=tr("{name} is not there", name=name)
    )


def _unread(served: Served, position: int, detail: str) -> Obstacle:
    return _obstacle(UNREAD, served, position, detail)


def _obstacle(kind: str, served: Served, position: int, detail: str) -> Obstacle:
    detail = tr("{segment}: {detail}", segment=served.segment, detail=detail)
    return Obstacle(kind=kind, segment=served.segment, lsn=position, detail=detail)


def _refuse(
    served: Served, path: tuple[Stretch, ...], wal: Wal, position: int, major: int
) -> Obstacle | None:
    """Why not even the first page of a file is used."""
    scan = served.scan
    if scan.damage and scan.damage.kind in _UNREADABLE:
        return _unread(served, position, scan.damage.detail)
    if served.archived and scan.size_bytes != wal.segment_size:
        obstacle = replace(_damaged(served, position), kills=True)
        if scan.size_bytes is None:
            return obstacle
        fatal = wrong_size(served.segment, scan.size_bytes, wal.segment_size)
        return replace(obstacle, fatal=fatal)
    if scan.header and scan.header.major != major:
        detail = tr("written by PostgreSQL {own}, not {major}", own=scan.header.major, major=major)
        return _obstacle(DamageKind.BAD_HEADER, served, position, detail)
    if scan.depth == "headers":
        return _unread(served, position, tr("its records were not read"))
    if scan.head and scan.head.timeline not in {stretch.timeline for stretch in path}:
        timeline = scan.head.timeline
        detail = tr("its pages are of timeline {timeline}, off the path", timeline=timeline)
        return _obstacle(DamageKind.WRONG_TIMELINE, served, position, detail)
    return None


def _foreign(served: Served, wal: Wal, position: int) -> Obstacle | None:
    """Hold the first file to pg_control; the later ones are held to the file before."""
    header, expected = served.scan.header, wal.system_identifier
    if header is None or expected is None or header.system_identifier == expected:
        return None
    own = header.system_identifier
    detail = tr("system identifier {own}, not {expected}", own=own, expected=expected)
    return _obstacle(DamageKind.FOREIGN_SYSTEM, served, position, detail)


def _is_hidden(scan: SegmentScan, begin_lsn: int) -> bool:
    """Tell whether the scan stopped before the place where replay would start."""
    return scan.damage is not None and scan.damage.lsn < begin_lsn


def _damaged(served: Served, position: int) -> Obstacle:
    damage = served.scan.damage
    if damage is None:
        return _obstacle(DamageKind.BAD_HEADER, served, position, tr("cannot be read"))
    return _obstacle(damage.kind, served, position, damage.detail)


def _with_refused(obstacle: Obstacle, wal: Wal, tail: SegmentTail | None) -> Obstacle:
    """Name the record that is read before its page's timeline is found to be none of the path's."""
    if obstacle.kind != DamageKind.WRONG_TIMELINE:
        return obstacle
    scan = wal.scan_from(obstacle.segment, None, ANY_TIMELINE)
    if scan is None or scan.head is None:
        return obstacle
    boundary = stitch(tail, scan.head) if tail else None
    if boundary and boundary.damage:  # the page's timeline goes back: the record is not read
        return obstacle
    if boundary and (boundary.facts.end_lsn or 0) > obstacle.lsn:
        return replace(obstacle, refused_lsn=boundary.facts.last_lsn)
    begin_lsn = scan.head.first_lsn
    if obstacle.lsn >= scan.start_lsn:
        begin_lsn = first_record_lsn(obstacle.lsn, wal.segment_size)
    rest = wal.scan_from(obstacle.segment, begin_lsn, ANY_TIMELINE) if begin_lsn else None
    return replace(obstacle, refused_lsn=rest.facts.first_lsn if rest else None)


def _end(served: Served, boundary: Stitch | None, position: int) -> Obstacle | None:
    """What ends the WAL in this file; None when replay continues past it."""
    if boundary and boundary.damage:
        return _obstacle(boundary.damage.kind, served, position, boundary.damage.detail)
    if served.scan.damage:
        return _damaged(served, position)
    ending = _ENDINGS.get(served.scan.end.kind)
    if ending is None:
        return None
    kind, detail = ending
    return _obstacle(kind, served, position, detail)
