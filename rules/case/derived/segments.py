"""What the segments that were read say, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from parsers.values import dataclass
from parsers.wal.damage import Damage, DamageKind
from parsers.wal.scan import EndKind, SegmentEnd, SegmentScan
from rules.archive.copies import CopyReading, judge_copies
from rules.archive.damage import damage_alone, judge_scans, left_segments, system_identifier_of
from rules.archive.dated_wal import DatedWalFacts, date_wal
from rules.archive.restore_points import Walked, walk_facts
from rules.archive.wal_events import collect_events
from rules.case.case import Case
from rules.case.context import Context
from rules.case.derived.listing import Identity, Listings
from rules.case.engine import derived
from rules.case.observations import Scanned, SegmentsRead, SettledSegments
from rules.model.evidence import WalEventsFacts
from rules.model.facts import ArchivedFile, DamagedSegment, ScanFacts, SegmentCopy
from rules.model.scans import JoinedScans
from rules.model.timelines import TimelineTree

# A file whose bytes were had, and tell nothing here: it was not looked at, and may be good.
_CLOSED_TO_US: Final = (DamageKind.ENCRYPTED.value, DamageKind.UNREADABLE.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class WalIdentity:
    """Whose WAL it is, by the segments' own headers where nothing else tells."""

    system_identifier: int | None
    server_major: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkedWal:
    """Everything that was read, walked through once."""

    events: WalEventsFacts
    dated: DatedWalFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contested:
    """A segment of which nothing can be used."""

    read_at: datetime
    digest: bytes | None
    scan: SegmentScan
    sound: bool = False


@derived(slow=True)
def settled(
    read: SegmentsRead, tree: TimelineTree, identity: Identity, listings: Listings | None
) -> SettledSegments | None:
    """Choose, of copies, the file that serves."""
    size = identity.segment_size_bytes
    if size is None:
        return None
    joined = JoinedScans(read.scans.keys(), lambda name: read.scans[name].scan, read.joined)
    expected = identity.system_identifier or system_identifier_of(joined)
    forks = may_end_early(tree, size, listings)
    scans, serving, copies = dict(read.scans), dict[str, ArchivedFile](), list[SegmentCopy]()
    for name, files in sorted(read.copies.items()):
        judgement = judge_copies(name, list(_readings(name, files, forks, expected)))
        file, scanned = files[judgement.serves]
        if judgement.conflict:
            scanned = _contested(scanned, judgement.conflict)
        scans[name], serving[name] = scanned, file
        copies += judgement.copies
    return SettledSegments(
        scans=scans,
        unread=read.unread,
        unreadable=read.unreadable,
        joined=read.joined,
        serving=serving,
        copies=tuple(copies),
    )


def may_end_early(
    tree: TimelineTree, segment_size: int, listings: Listings | None
) -> frozenset[str]:
    """Segments that may end before their size does: a timeline left them, or still writes them."""
    written = listings.written if listings else frozenset[str]()
    return frozenset(left_segments(tree, segment_size)) | written


def _readings(
    name: str,
    files: Iterable[tuple[ArchivedFile, Scanned]],
    forks: Container[str],
    expected: int | None,
) -> Iterator[CopyReading]:
    for file, scanned in files:
        damage = damage_alone(name, scanned.scan, expected, forks)
        assert scanned.digest is not None
        kind = damage.kind if damage else None
        yield CopyReading(url=file.path, digest=scanned.digest, kind=kind)


def _contested(scanned: Scanned, why: str) -> _Contested:
    """Nothing of a segment can be used when it is unclear which of its files is right."""
    scan, lsn = scanned.scan, scanned.scan.start_lsn
    damage = Damage(kind=DamageKind.CONFLICTING_COPIES, lsn=lsn, detail=why)
    return _Contested(
        read_at=scanned.read_at,
        digest=scanned.digest,
        scan=replace(scan, damage=damage, end=SegmentEnd(kind=EndKind.DAMAGED, lsn=lsn)),
    )


@derived(slow=True)
def scan(
    read: SegmentsRead,
    settled: SettledSegments,
    tree: TimelineTree,
    identity: Identity,
    listings: Listings | None,
) -> ScanFacts | None:
    """Judge a round of reading."""
    size = identity.segment_size_bytes
    if size is None:
        return None
    scans, forks = settled.as_scans(), may_end_early(tree, size, listings)
    unreadable = [
        DamagedSegment(segment=name, kind=DamageKind.UNREADABLE.value, lsn=None, detail=why)
        for name, why in sorted(read.unreadable.items())
    ]
    damaged = judge_scans(scans, forks, tree, size, identity.system_identifier)
    closed = {d.segment: d.detail for d in damaged if d.kind in _CLOSED_TO_US}
    return ScanFacts(
        depth=read.depth,
        read=frozenset(scans).difference(closed),
        unread={**read.unread, **read.unreadable, **closed},
        growing=read.growing,
        cold=read.cold,
        damaged=(*damaged, *unreadable),
        oldest_read_at=min((each.read_at for each in read.scans.values()), default=None),
        copies=settled.copies,
        changed=tuple(changed for _, changed in sorted(read.changed.items())),
        read_at={name: scanned.read_at for name, scanned in settled.scans.items()},
    )


@derived(slow=True)
def wal_identity(settled: SettledSegments, identity: Identity) -> WalIdentity:
    scans = settled.as_scans()
    majors = (scan.major for scan in scans.values())
    return WalIdentity(
        system_identifier=identity.system_identifier or system_identifier_of(scans),
        server_major=identity.server_major or next(filter(None, majors), None),
    )


@derived(slow=True)
def walked(
    settled: SettledSegments, tree: TimelineTree, identity: Identity, context: Context
) -> WalkedWal | None:
    pieces = walk(settled, tree, identity)
    if pieces is None or context.depth != "records":
        return None
    size = identity.segment_size_bytes
    assert size is not None
    return WalkedWal(events=collect_events(pieces, tree, size), dated=date_wal(pieces, tree))


def walk(settled: SettledSegments, tree: TimelineTree, identity: Identity) -> Walked | None:
    """Every segment's facts, with the timeline of its file; None where no size is known."""
    size = identity.segment_size_bytes
    return list(walk_facts(settled.as_scans(), tree, size)) if size is not None else None


@derived()
def events(walked: WalkedWal) -> WalEventsFacts:
    return walked.events


@derived()
def dated(walked: WalkedWal) -> DatedWalFacts:
    return walked.dated


def scans_of(case: Case) -> JoinedScans:
    """The scans of all segments that were read; none at depth names."""
    return (case.get(SettledSegments) or SettledSegments()).as_scans()
