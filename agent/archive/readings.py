"""What reading the files of segments brings: a scan for each, or why it was not scanned.

`read_segment` is the whole of what a worker does.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from agent.archive.codecs import Content, Flaw
from agent.archive.pieces import scan_in_pieces
from agent.archive.stored import read_stored, require_own
from agent.archive.unreadable import Unreadable, read_guarded
from agent.engine import running, scan_segment
from agent.store.local import stat_path
from agent.store.meter import StoreUsage, counting
from agent.store.urls import is_remote
from parsers.segment import parse_segment_name
from parsers.sentences import tr
from parsers.values import dataclass
from parsers.wal.damage import Damage, DamageKind
from parsers.wal.facts import Facts
from parsers.wal.scan import Depth, EndKind, SegmentEnd, SegmentScan
from rules.model.facts import ArchivedFile, ChangedFile
from rules.model.scans import JoinedStretch

if TYPE_CHECKING:
    from agent.ledger.encode import PackedScan
    from agent.store.entries import Version
    from parsers.wal.journal import JournalWanted

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
    digest: bytes | None = None  # SHA-256 of its content; only where it is asked for
    sound: bool = False  # nothing is wrong with it by itself
    stable: bool = False  # the file did not change while it was read, nor just before
    as_listed: bool = False  # it is the file that was listed, whether or not it changed just before
    changed: ChangedFile | None = None  # it held something else, and that was sound
    held: SegmentScan | None = None
    packed: PackedScan | None = None
    recall: Callable[[], SegmentScan] | None = None
    usage: StoreUsage | None = None  # what it cost, of an object in a store

    @property
    def scan(self) -> SegmentScan:
        """What was read; unpacked when it is asked for."""
        held, packed = self.held, self.packed  # which a thread may take out: the ledger has it now
        if held is None:
            if packed is not None:
                from agent.ledger.encode import unpack_scan

                held = unpack_scan(packed)
            else:
                assert self.recall is not None, "a scan comes from somewhere"
                held = self.recall()
            self.held = held
        return held


@dataclass(slots=True, repr=False)
class SegmentReadings:
    """What a round of reading brought: a scan for each segment, or why it was not scanned.

    It has no repr of its content: asyncio.run asks for that of a task's result, when it gives the
    handler of SIGINT back, and drops it.
    """

    scans: dict[str, ScannedSegment] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    growing: set[str] = field(default_factory=set)  # unread, because it may still be written to
    unreadable: dict[str, str] = field(
        default_factory=dict
    )  # the file, or this program on it, failed
    cold: set[str] = field(default_factory=set)  # unreadable, because of where their store has them
    copies: dict[str, list[tuple[ArchivedFile, ScannedSegment]]] = field(default_factory=dict)
    changed: dict[str, ChangedFile] = field(default_factory=dict)  # by path
    joined: Mapping[str, JoinedStretch] = field(
        default_factory=dict
    )  # whole stretches, by first segment

    def take(self, job: Job, scanned: ScannedSegment) -> None:
        """Count a file as read."""
        self.scans.setdefault(job.name, scanned)
        if self.unread or self.unreadable:  # a copy of it could be read
            self.unread.pop(job.name, None)
            self.growing.discard(job.name)
            self.unreadable.pop(job.name, None)
            self.cold.discard(job.name)
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


class Scan(Protocol):
    """What makes a scan of a segment's bytes: `scan_segment`."""

    def __call__(
        self,
        buffer: bytes,
        *,
        name_timeline: int,
        segment_number: int,
        segment_size: int,
        depth: Depth,
    ) -> SegmentScan: ...


# What asks for the journal of a file while it is read.
JournalsOf = Callable[[ArchivedFile], "JournalWanted"]


def read_segment(
    file: ArchivedFile,
    name: str,
    segment_size: int,
    depth: Depth,
    compare: bool = False,
    pack: bool = False,
    scan: Scan = scan_segment,
    journals: JournalsOf | None = None,
) -> ScannedSegment:
    """Read, decompress and scan one file. Runs in a worker: a thread or a process.

    `journals` asks for what its transactions wrote as well. `compare` asks for the digest of its
    content; `pack` for that and the scan as the ledger keeps it, which also crosses to another
    process sooner. Raises FileNotFoundError and Unreadable, whatever goes wrong.
    """
    journal = journals(file) if journals else None
    read = partial(_read_segment, file, name, segment_size, depth, compare, pack, scan, journal)
    if not is_remote(file.directory):
        return read_guarded(read)
    with counting(StoreUsage()) as usage:
        try:
            return replace(read_guarded(read), usage=usage)
        except Unreadable as failure:
            failure.usage = usage
            raise


def _read_segment(
    file: ArchivedFile,
    name: str,
    segment_size: int,
    depth: Depth,
    compare: bool,
    pack: bool,
    scan_bytes: Scan,
    journal: JournalWanted | None,
) -> ScannedSegment:
    read_at = datetime.now(UTC)
    timeline, number = parse_segment_name(name, segment_size)
    wants_digest = compare or pack
    found, version = None, None
    in_pieces = scan_bytes is scan_segment and depth == "records" and running() == "c"
    if in_pieces and not is_remote(file.directory):
        found = _read_in_pieces(file, timeline, number, segment_size, wants_digest, journal)
    if found is None:
        if journal is not None:
            scan_bytes = partial(scan_segment, journal=journal)
        content = read_stored(file.directory, file.name, segment_size)
        _require_whole(file, content)
        version = content.version
        scan = scan_bytes(
            content.data,
            name_timeline=timeline,
            segment_number=number,
            segment_size=segment_size,
            depth=depth,
        )
        if scan.damage is not None or content.flaw is not None:
            require_own(file.directory, file.name, content)
        found = _with_flaw(scan, content), _digest(content) if wants_digest else None
    scan, digest = found
    as_listed = is_as_listed(file, version)
    scanned = ScannedSegment(
        read_at=read_at,
        digest=digest,
        sound=is_sound(scan),
        stable=as_listed and is_settled(file, read_at),
        as_listed=as_listed,
    )
    if not pack:
        return replace(scanned, held=scan)
    from agent.ledger.encode import pack_scan

    return replace(scanned, packed=pack_scan(scan))


def _read_in_pieces(
    file: ArchivedFile,
    timeline: int,
    number: int,
    segment_size: int,
    wants_digest: bool,
    journal: JournalWanted | None,
) -> tuple[SegmentScan, bytes | None] | None:
    """Give (scan, digest) of a sound segment that is stored as it is; None: read it whole."""
    if os.path.isfile(file.directory):  # noqa: PTH113 - a tar
        return None
    digest = sha256() if wants_digest else None
    update = digest.update if digest else None
    path = f"{file.directory}/{file.name}"
    scan = scan_in_pieces(path, timeline, number, segment_size, update, journal)
    if scan is None:
        return None
    return scan, digest.digest() if digest else None


def _digest(content: Content) -> bytes:
    """SHA-256 of all that was read, as `sha256sum` gives it: signed statements hold it.

    What is longer is another content than what it begins with, and has another digest.
    """
    digest = sha256(content.data)
    if content.flaw is Flaw.LONGER:
        digest.update(b"and longer: %d" % (content.whole_bytes or 0))
    return digest.digest()


_SOUND_ENDS: Final = (EndKind.FULL, EndKind.SWITCH, EndKind.UNREAD)


def is_sound(scan: SegmentScan) -> bool:
    """Whether nothing is wrong with a segment by itself."""
    return scan.damage is None and scan.end.kind in _SOUND_ENDS


def _require_whole(file: ArchivedFile, content: Content) -> None:
    """Raise Unreadable for an object of another length than its own version was listed with."""
    version = content.version
    if version is None or version.size_bytes == file.size_bytes or not _is_version(file, version):
        return
    raise Unreadable(
        tr(
            "the store gave {size} bytes of {expected}",
            size=version.size_bytes,
            expected=file.size_bytes,
        )
    )


def _is_version(file: ArchivedFile, version: Version | None) -> bool:
    from agent.store.objects import tag_in

    tag = tag_in(file.mtime_ns, file.ctime_ns)
    return version is not None and version.tag == tag


def is_as_listed(file: ArchivedFile, version: Version | None) -> bool:
    """Tell whether a file has, after it was read, the size and times that the listing saw.

    `version` is that of the object which was read.
    """
    if is_remote(file.directory):
        return _is_version(file, version)
    in_tar = os.path.isfile(file.directory)  # noqa: PTH113 - pathlib costs start-up time
    try:
        status = stat_path(file.directory if in_tar else file.path)
    except OSError:
        return False
    size = file.size_bytes if in_tar else status.st_size
    seen = (size, status.st_mtime_ns, status.st_ctime_ns)
    return seen == (file.size_bytes, file.mtime_ns, file.ctime_ns)


def is_settled(file: ArchivedFile, read_at: datetime) -> bool:
    """Tell whether a file that is as it was listed cannot have been written once more since.

    One written twice within one tick of its clock keeps its times: one that changed a moment
    before it was read is not relied on again. A store tells its versions apart; a host tells
    seconds alone.
    """
    if is_remote(file.directory) and not file.directory.startswith("sftp://"):
        return True
    return max(file.mtime_ns, file.ctime_ns) / 1e9 < read_at.timestamp() - TICK_SECONDS


FLAW_KINDS: Final = {
    Flaw.CUT: DamageKind.TRUNCATED,
    Flaw.CORRUPT: DamageKind.BAD_CRC,
    Flaw.LONGER: DamageKind.OVERSIZED,
    Flaw.ENCRYPTED: DamageKind.ENCRYPTED,
}


def _with_flaw(scan: SegmentScan, content: Content) -> SegmentScan:
    """A file that does not decompress to exactly a segment gives the server nothing of it."""
    if content.flaw is None:
        return scan
    kind, lsn = FLAW_KINDS[content.flaw], scan.start_lsn + len(content.data)
    detail = content.detail
    if content.flaw is Flaw.CUT:
        detail = tr("{detail}: it gave {size} bytes", detail=detail, size=len(content.data))
    end = SegmentEnd(kind=EndKind.DAMAGED, lsn=scan.end.lsn)
    size = scan.size_bytes if content.flaw is Flaw.CORRUPT else content.whole_bytes
    damage = Damage(kind=kind, lsn=lsn, detail=detail)
    return replace(scan, size_bytes=size, damage=damage, end=end)


def unread_scan(file: ArchivedFile, name: str, segment_size: int, why: str) -> SegmentScan:
    """A scan that says that nothing was read: what lies there is unknown, not absent."""
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
