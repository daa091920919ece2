"""Reading archived segments: scans in worker processes, remembered while a file stays the same.

A scan is local to its segment, so the order is free: newest first, because the newest segments
decide how far a restore gets. What a budget left unread is said, and read the next time.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import blake2b
from threading import Thread
from time import monotonic
from typing import Final, NamedTuple

from agent.archive.codecs import READABLE_SUFFIXES, Content, Flaw
from agent.archive.stored import read_stored
from parsers.segment import ENCRYPTION_SUFFIXES, PARTIAL_SUFFIX, parse_segment_name
from parsers.wal_damage import Damage, DamageKind
from parsers.wal_scan import Depth, EndKind, SegmentEnd, SegmentScan, scan_segment
from rules.copies import CopyReading, judge_copies
from rules.damage import damage_alone, judge_scans, left_segments, system_identifier_of
from rules.facts import (
    ArchivedFile,
    ArchiveFacts,
    BackupFacts,
    DamagedSegment,
    ScanFacts,
    SegmentCopy,
)
from rules.timelines import TimelineTree

SETTLE_SECONDS: Final = 5.0  # a file that changed more recently may still be written to
_SPARE_SECONDS: Final = 5.0  # how long workers get to finish a segment when the budget is over
_FAREWELL_SECONDS: Final = 2.0  # how long the thread that minds ended workers gets to end itself


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannedSegment:
    """One file of a segment, read."""

    read_at: datetime
    scan: SegmentScan
    digest: bytes | None = None  # of its content; only where there are copies to compare


@dataclass(slots=True)
class SegmentReadings:
    """What a round of reading brought: a scan for each segment, or why there is none."""

    scans: dict[str, ScannedSegment] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)  # the file cannot be opened or read
    copies: dict[str, list[tuple[ArchivedFile, ScannedSegment]]] = field(default_factory=dict)
    serving: dict[str, ArchivedFile] = field(default_factory=dict)  # chosen among copies

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
    expected = system_identifier or system_identifier_of(
        scanned.scan for scanned in readings.scans.values()
    )
    forks = left_segments(tree, segment_size) | set(may_end_early)
    copies = _settle_copies(readings, forks, expected)
    scans = {name: scanned.scan for name, scanned in readings.scans.items()}
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
        damaged=(*damaged, *unreadable),
        oldest_read_at=readings.oldest_read_at,
        copies=copies,
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
            scanned = replace(scanned, scan=_contested(scanned.scan, judgement.conflict))
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
    file: ArchivedFile, name: str, segment_size: int, depth: Depth, compare: bool = False
) -> ScannedSegment:
    """Read, decompress and scan one file. Runs in a worker process. Raises OSError."""
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
    return ScannedSegment(
        read_at=read_at,
        scan=_with_flaw(scan, content),
        digest=blake2b(content.data, digest_size=16).digest() if compare else None,
    )


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


def segments_to_read(
    archive: ArchiveFacts, backups: Iterable[BackupFacts]
) -> dict[str, ArchivedFile]:
    """The segments that some restore could need: from the oldest backup's start on, or all."""
    oldest = min((backup.label.start_segment[8:] for backup in backups), default="")
    return {name: file for name, file in archive.segments.items() if name[8:] >= oldest}


class _Job(NamedTuple):
    """One file to read."""

    name: str  # of the segment
    file: ArchivedFile
    compare: bool  # there are copies: its content's digest is wanted


class SegmentReader:
    """Worker processes, there while they are needed, and a memory of what they read.

    The processes are started with forkserver: the parent has threads and libpq connections.
    """

    def __init__(self, workers: int = 1) -> None:
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None
        self._known: dict[tuple[_Job, Depth], ScannedSegment] = {}

    async def read(
        self,
        archive: ArchiveFacts,
        files: Mapping[str, ArchivedFile],
        segment_size: int,
        depth: Depth,
        *,
        budget_seconds: float | None = None,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> SegmentReadings:
        """Read what is not known yet, newest first, until the budget (None: unlimited) is over."""
        readings = SegmentReadings()
        jobs = list(self._sort_out(_jobs(archive, files), depth, readings))
        if not jobs:
            return readings
        task = _Round(readings, segment_size, depth, budget_seconds, archive.listed_at)
        try:
            await self._read_all(jobs, task, on_progress)
        finally:
            self.close()
        return readings

    async def _read_all(
        self, jobs: list[_Job], task: _Round, on_progress: Callable[[int, int], None]
    ) -> None:
        total = len(jobs)
        while jobs:
            batch, jobs = jobs[: 4 * self._workers], jobs[4 * self._workers :]
            if task.is_over:
                task.readings.unread |= dict.fromkeys(
                    (job.name for job in (*batch, *jobs)), _BUDGET
                )
                break
            await self._read_batch(batch, task)
            on_progress(total - len(jobs), total)

    def forget_all_but(self, files: Iterable[ArchivedFile]) -> None:
        """Drop what is remembered of files that are no more."""
        kept = set(files)
        self._known = {key: scan for key, scan in self._known.items() if key[0].file in kept}

    def close(self) -> None:
        """End the workers, busy or not, and wait a moment for the thread that minds them.

        An interpreter that ends while that thread closes its pipe would write to the pipe.
        """
        pool, self._pool = self._pool, None
        if pool is None:
            return
        processes = list((pool._processes or {}).values())
        minder: Thread | None = pool._executor_manager_thread  # type: ignore[assignment]
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        if minder is not None:
            minder.join(_FAREWELL_SECONDS)

    # -- how -------------------------------------------------------------------------------------

    def _sort_out(
        self, jobs: Iterable[_Job], depth: Depth, readings: SegmentReadings
    ) -> Iterator[_Job]:
        """Put aside what is known, and what no library here can read."""
        for job in jobs:
            known = self._known.get((job, depth))
            if known is not None:
                _take(job, known, readings)
            elif _is_foreign_codec(job.file.name):
                suffix = job.file.name[len(job.name) :]
                readings.unread[job.name] = f"stored as {suffix}: only its name was looked at"
            else:
                yield job

    async def _read_batch(self, batch: list[_Job], task: _Round) -> None:
        futures = [
            self._executor().submit(
                read_segment, job.file, job.name, task.segment_size, task.depth, job.compare
            )
            for job in batch
        ]
        waiting = [asyncio.wrap_future(future) for future in futures]
        _, late = await asyncio.wait(waiting, timeout=task.patience_seconds)
        for job, future in zip(batch, waiting, strict=True):
            if future in late:
                future.cancel()
                task.readings.unread[job.name] = "reading it takes too long"
            else:
                self._receive(job, future, task)
        if late:
            self.close()

    def _receive(self, job: _Job, future: asyncio.Future[ScannedSegment], task: _Round) -> None:
        readings = task.readings
        try:
            scanned = future.result()
        except FileNotFoundError:
            return  # it vanished since the listing
        except OSError as error:
            if job.name in readings.scans:
                return  # another file of it could be read
            readings.unreadable[job.name] = f"cannot be read: {error.strerror}"
        except BrokenProcessPool:
            readings.unread[job.name] = "the process that read it was ended"
            self.close()
        else:
            growing = _still_growing(job.file, scanned, task.settled_before)
            if growing is None:
                _take(job, scanned, readings)
                self._known[job, task.depth] = scanned
            elif job.name not in readings.scans:
                readings.unread[job.name] = growing

    def _executor(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload([__name__])  # imported once, not in every worker
            self._pool = ProcessPoolExecutor(self._workers, mp_context=context)
        return self._pool


class _Round:
    """One round of reading: what it wants, until when, and what it has brought."""

    def __init__(
        self,
        readings: SegmentReadings,
        segment_size: int,
        depth: Depth,
        budget_seconds: float | None,
        listed_at: datetime,
    ) -> None:
        self.readings = readings
        self.settled_before = listed_at.timestamp() - SETTLE_SECONDS
        self.segment_size = segment_size
        self.depth = depth
        self._deadline = None if budget_seconds is None else monotonic() + budget_seconds

    @property
    def is_over(self) -> bool:
        return self._deadline is not None and monotonic() > self._deadline

    @property
    def patience_seconds(self) -> float | None:
        """How long to wait for a batch."""
        if self._deadline is None:
            return None
        return max(self._deadline - monotonic(), 0) + _SPARE_SECONDS


def _jobs(archive: ArchiveFacts, files: Mapping[str, ArchivedFile]) -> Iterator[_Job]:
    """Every file of the segments wanted, newest segment first, the first file of it first."""
    for name in sorted(files, key=lambda name: name[8:], reverse=True):
        copies = archive.copies.get(name, ())
        for file in (files[name], *copies):
            yield _Job(name, file, bool(copies))


def _take(job: _Job, scanned: ScannedSegment, readings: SegmentReadings) -> None:
    readings.scans.setdefault(job.name, scanned)
    readings.unread.pop(job.name, None)  # a copy of it could be read
    readings.unreadable.pop(job.name, None)
    if job.compare:
        readings.copies.setdefault(job.name, []).append((job.file, scanned))


def _is_foreign_codec(stored: str) -> bool:
    readable = (*READABLE_SUFFIXES, *ENCRYPTION_SUFFIXES, PARTIAL_SUFFIX)
    return "." in stored and not stored.endswith(readable)


def _still_growing(
    file: ArchivedFile, scanned: ScannedSegment, settled_before: float
) -> str | None:
    """Why a short file is not judged yet; None when it is whole, or has been still long enough."""
    damage = scanned.scan.damage
    if damage is None or damage.kind is not DamageKind.TRUNCATED:
        return None
    if file.mtime_ns / 1e9 < settled_before:
        return None
    return (
        f"it may still be written to, it changed a moment ago: {damage.detail}; unless it grows, "
        f"it counts as truncated {SETTLE_SECONDS:g} s after its last change"
    )


_BUDGET: Final = "not read yet: the time for this round was used up"
