"""What reading the files of segments brings: a scan for each, or why there is none.

`read_segment` is the whole of what a worker process does; `scan_facts` judges a round of readings.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

from agent.archive.codecs import Content, Flaw
from agent.archive.stored import read_stored
from parsers.segment import parse_segment_name
from parsers.wal_damage import Damage, DamageKind
from parsers.wal_facts import Facts
from parsers.wal_scan import Depth, EndKind, SegmentEnd, SegmentScan, scan_segment
from rules.copies import CopyReading, judge_copies
from rules.damage import damage_alone, judge_scans, left_segments, system_identifier_of
from rules.facts import ArchivedFile, ChangedFile, DamagedSegment, ScanFacts, SegmentCopy
from rules.scans import Joined, JoinedScans
from rules.timelines import TimelineTree

if TYPE_CHECKING:
    from agent.ledger.encode import PackedScan

SETTLE_SECONDS: Final = 5.0  # a file that changed more recently may still be written to
TICK_SECONDS: Final = 2.0  # the coarsest clock that files are dated by


class Job(NamedTuple):
    """One file to read."""

    name: str  # of the segment
    file: ArchivedFile
    compare: bool  # there are copies: its content's digest is wanted


@dataclass(slots=True, kw_only=True)
class ScannedSegment:
    """One file of a segment, read: now, or at an earlier time that the ledger remembers.

    It holds the scan, or what it was packed into, or knows where to get it from.
    """

    read_at: datetime
    digest: bytes | None = None  # of its content; only where it is asked for
    sound: bool = False  # nothing is wrong with it by itself
    stable: bool = False  # the file did not change while it was read, nor just before
    changed: ChangedFile | None = None  # it held something else, and that was sound
    held: SegmentScan | None = None
    packed: PackedScan | None = None
    recall: Callable[[], SegmentScan] | None = None

    @property
    def scan(self) -> SegmentScan:
        """What was read; unpacked when it is asked for."""
        if self.held is None:
            if self.packed is not None:
                from agent.ledger.encode import unpack_scan

                self.held = unpack_scan(self.packed)
            else:
                assert self.recall is not None, "a scan comes from somewhere"
                self.held = self.recall()
        return self.held


@dataclass(slots=True, repr=False)
class SegmentReadings:
    """What a round of reading brought: a scan for each segment, or why there is none.

    It has no repr of its content: asyncio.run asks for that of a task's result, when it gives the
    handler of SIGINT back, and drops it.
    """

    scans: dict[str, ScannedSegment] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    growing: set[str] = field(default_factory=set)  # unread, because it may still be written to
    unreadable: dict[str, str] = field(default_factory=dict)  # the file cannot be opened or read
    copies: dict[str, list[tuple[ArchivedFile, ScannedSegment]]] = field(default_factory=dict)
    changed: dict[str, ChangedFile] = field(default_factory=dict)  # by path
    joined: Mapping[str, Joined] = field(default_factory=dict)  # whole stretches, by first segment
    serving: dict[str, ArchivedFile] = field(default_factory=dict)  # chosen among copies

    def take(self, job: Job, scanned: ScannedSegment) -> None:
        """Count a file as read."""
        self.scans.setdefault(job.name, scanned)
        self.unread.pop(job.name, None)  # a copy of it could be read
        self.growing.discard(job.name)
        self.unreadable.pop(job.name, None)
        if job.compare:
            self.copies.setdefault(job.name, []).append((job.file, scanned))
        if scanned.changed:
            self.changed[job.file.path] = scanned.changed

    def drop(self, job: Job) -> None:
        """Count a file as not read."""
        self.changed.pop(job.file.path, None)
        rest = [read for read in self.copies.pop(job.name, ()) if read[0] != job.file]
        self.scans.pop(job.name, None)
        if rest:
            self.copies[job.name] = rest
            self.scans[job.name] = rest[0][1]

    def arrange(self, files: Mapping[ArchivedFile, int]) -> None:
        """Put copies into the archive's order, whichever of them was read or remembered first."""
        for name, read in self.copies.items():
            read.sort(key=lambda each: files[each[0]])
            self.scans[name] = read[0][1]

    def as_scans(self) -> JoinedScans:
        """The scans by segment, each unpacked when it is asked for."""
        return JoinedScans(self.scans.keys(), lambda name: self.scans[name].scan, self.joined)

    @property
    def oldest_read_at(self) -> datetime | None:
        return min((scanned.read_at for scanned in self.scans.values()), default=None)


def scan_facts(
    readings: SegmentReadings,
    depth: Depth,
    tree: TimelineTree,
    segment_size: int,
    system_identifier: int | None,
    may_end_early: Iterable[str] = (),
) -> ScanFacts:
    """Judge a round of readings. Where a segment has copies, `readings` keeps the one that serves.

    `may_end_early`: segments that are still being written, as a dead primary's last one was.
    """
    expected = system_identifier or system_identifier_of(readings.as_scans())
    forks = left_segments(tree, segment_size) | set(may_end_early)
    copies = _settle_copies(readings, forks, expected)
    scans = readings.as_scans()
    unreadable = [
        DamagedSegment(segment=name, kind=DamageKind.UNREADABLE.value, lsn=None, detail=why)
        for name, why in sorted(readings.unreadable.items())
    ]
    damaged = judge_scans(scans, forks, tree, segment_size, expected)
    encrypted = {d.segment: d.detail for d in damaged if d.kind == DamageKind.ENCRYPTED.value}
    return ScanFacts(
        depth=depth,
        read=frozenset(scans.keys() - encrypted.keys()),
        unread=readings.unread | readings.unreadable | encrypted,
        growing=frozenset(readings.growing),
        damaged=(*damaged, *unreadable),
        oldest_read_at=readings.oldest_read_at,
        copies=copies,
        changed=tuple(changed for _, changed in sorted(readings.changed.items())),
        read_at={name: scanned.read_at for name, scanned in readings.scans.items()},
    )


def _settle_copies(
    readings: SegmentReadings, forks: Container[str], system_identifier: int | None
) -> tuple[SegmentCopy, ...]:
    copies: list[SegmentCopy] = []
    for name, files in sorted(readings.copies.items()):
        judgement = judge_copies(
            name, [_copy(name, *read, forks, system_identifier) for read in files]
        )
        file, scanned = files[judgement.serves]
        if judgement.conflict:
            scanned = replace(scanned, held=_contested(scanned.scan, judgement.conflict))
        readings.scans[name], readings.serving[name] = scanned, file
        copies += judgement.copies
    return tuple(copies)


def _contested(scan: SegmentScan, why: str) -> SegmentScan:
    """Nothing of a segment can be used when nobody can tell which of its files is right."""
    lsn = scan.start_lsn
    damage = Damage(kind=DamageKind.CONFLICTING_COPIES, lsn=lsn, detail=why)
    return replace(scan, damage=damage, end=SegmentEnd(kind=EndKind.DAMAGED, lsn=lsn))


def _copy(
    name: str,
    file: ArchivedFile,
    scanned: ScannedSegment,
    forks: Container[str],
    system_identifier: int | None,
) -> CopyReading:
    damage = damage_alone(name, scanned.scan, system_identifier, forks)
    assert scanned.digest is not None
    return CopyReading(url=file.path, digest=scanned.digest, kind=damage.kind if damage else None)


def read_segment(
    file: ArchivedFile,
    name: str,
    segment_size: int,
    depth: Depth,
    compare: bool = False,
    pack: bool = False,
) -> ScannedSegment:
    """Read, decompress and scan one file. Runs in a worker process. Raises OSError.

    `compare` asks for the digest of its content; `pack` for that and the scan as the ledger
    keeps it, which also crosses to another process sooner.
    """
    read_at = datetime.now(UTC)
    timeline, number = parse_segment_name(name, segment_size)
    content = read_stored(file.directory, file.name, segment_size)
    scan = scan_segment(
        content.data,
        name_timeline=timeline,
        segment_number=number,
        segment_size=segment_size,
        depth=depth,
    )
    scan = _with_flaw(scan, content)
    digest = blake2b(content.data, digest_size=16).digest() if compare or pack else None
    scanned = ScannedSegment(
        read_at=read_at,
        digest=digest,
        sound=scan.damage is None and scan.end.kind in _SOUND_ENDS,
        stable=_is_stable(file, read_at),
    )
    if not pack:
        return replace(scanned, held=scan)
    from agent.ledger.encode import pack_scan

    return replace(scanned, packed=pack_scan(scan))


_SOUND_ENDS: Final = (EndKind.FULL, EndKind.SWITCH, EndKind.UNREAD)


def _is_stable(file: ArchivedFile, read_at: datetime) -> bool:
    """Tell whether what was read belongs to the size and times that the listing saw.

    A file written twice within one tick of its clock keeps its times: one that changed a moment
    before it was read is not relied on again.
    """
    in_tar = os.path.isfile(file.directory)  # noqa: PTH113 - pathlib costs start-up time
    try:
        status = os.stat(file.directory if in_tar else file.path)  # noqa: PTH116
    except OSError:
        return False
    size = file.size_bytes if in_tar else status.st_size
    seen = (size, status.st_mtime_ns, status.st_ctime_ns)
    if seen != (file.size_bytes, file.mtime_ns, file.ctime_ns):
        return False
    return max(file.mtime_ns, file.ctime_ns) / 1e9 < read_at.timestamp() - TICK_SECONDS


_FLAW_KINDS: Final = {
    Flaw.CUT: DamageKind.TRUNCATED,
    Flaw.CORRUPT: DamageKind.BAD_CRC,
    Flaw.LONGER: DamageKind.OVERSIZED,
    Flaw.ENCRYPTED: DamageKind.ENCRYPTED,
}


def _with_flaw(scan: SegmentScan, content: Content) -> SegmentScan:
    """A file that does not decompress to exactly a segment gives the server nothing of it."""
    if content.flaw is None:
        return scan
    kind, lsn = _FLAW_KINDS[content.flaw], scan.start_lsn + len(content.data)
    detail = content.detail
    if content.flaw is Flaw.CUT:
        detail = f"{detail}: it gave {len(content.data)} bytes"
    end = SegmentEnd(kind=EndKind.DAMAGED, lsn=scan.end.lsn)
    return replace(scan, damage=Damage(kind=kind, lsn=lsn, detail=detail), end=end)


def unread_scan(file: ArchivedFile, name: str, segment_size: int, why: str) -> SegmentScan:
    """A scan that says that nobody looked: what lies there is unknown, not absent."""
    start_lsn = parse_segment_name(name, segment_size)[1] * segment_size
    return SegmentScan(
        depth="records",
        start_lsn=start_lsn,
        size_bytes=file.size_bytes,
        header=None,
        head=None,
        facts=Facts(),
        tail=None,
        end=SegmentEnd(kind=EndKind.UNREAD, lsn=start_lsn),
        damage=Damage(kind=DamageKind.UNREADABLE, lsn=start_lsn, detail=why),
    )
