"""Reading archived segments: scans in worker processes, remembered while a file stays the same.

A scan is local to its segment, so the order is free: newest first, because the newest segments
decide how far a restore gets. What a budget left unread is said, and read the next time.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, time_ns
from typing import Final

from parsers.segment import parse_segment_name
from parsers.wal_damage import DamageKind
from parsers.wal_scan import Depth, SegmentScan, scan_segment
from rules.damage import judge_scans
from rules.facts import ArchivedFile, ArchiveFacts, BackupFacts, DamagedSegment, ScanFacts
from rules.timelines import TimelineTree

SETTLE_SECONDS: Final = 5.0  # a file that changed more recently may still be written to
_SPARE_SECONDS: Final = 5.0  # how long workers get to finish a segment when the budget is over


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannedSegment:
    """One segment, read."""

    read_at: datetime
    scan: SegmentScan


@dataclass(slots=True)
class SegmentReadings:
    """What a round of reading brought: a scan for each segment, or why there is none."""

    scans: dict[str, ScannedSegment] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)  # the file cannot be opened or read

    @property
    def oldest_read_at(self) -> datetime | None:
        return min((scanned.read_at for scanned in self.scans.values()), default=None)


def scan_facts(
    readings: SegmentReadings,
    depth: Depth,
    tree: TimelineTree,
    segment_size: int,
    system_identifier: int | None,
) -> ScanFacts:
    """Judge a round of readings."""
    scans = {name: scanned.scan for name, scanned in readings.scans.items()}
    unreadable = [
        DamagedSegment(segment=name, kind=DamageKind.UNREADABLE.value, lsn=None, detail=why)
        for name, why in sorted(readings.unreadable.items())
    ]
    return ScanFacts(
        depth=depth,
        read=frozenset(scans),
        unread=readings.unread | readings.unreadable,
        damaged=(*judge_scans(scans, tree, segment_size, system_identifier), *unreadable),
        oldest_read_at=readings.oldest_read_at,
    )


def read_segment(path: str, name: str, segment_size: int, depth: Depth) -> ScannedSegment:
    """Read and scan one file. Runs in a worker process. Raises OSError."""
    read_at = datetime.now(UTC)
    timeline, number = parse_segment_name(name, segment_size)
    scan = scan_segment(
        Path(path).read_bytes(),
        name_timeline=timeline,
        segment_number=number,
        segment_size=segment_size,
        depth=depth,
    )
    return ScannedSegment(read_at=read_at, scan=scan)


def segments_to_read(
    archive: ArchiveFacts, backups: Iterable[BackupFacts]
) -> dict[str, ArchivedFile]:
    """The segments that some restore could need: from the oldest backup's start on, or all."""
    oldest = min((backup.label.start_segment[8:] for backup in backups), default="")
    return {name: file for name, file in archive.segments.items() if name[8:] >= oldest}


class SegmentReader:
    """Worker processes, there while they are needed, and a memory of what they read.

    The processes are started with forkserver: the parent has threads and libpq connections.
    """

    def __init__(self, workers: int = 1) -> None:
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None
        self._known: dict[tuple[ArchivedFile, Depth], ScannedSegment] = {}

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
        pending = list(self._sort_out(archive, files, depth, readings))
        if not pending:
            return readings
        try:
            await self._read_all(
                pending, files, segment_size, depth, budget_seconds, readings, on_progress
            )
        finally:
            self.close()
        return readings

    async def _read_all(
        self,
        pending: list[str],
        files: Mapping[str, ArchivedFile],
        segment_size: int,
        depth: Depth,
        budget_seconds: float | None,
        readings: SegmentReadings,
        on_progress: Callable[[int, int], None],
    ) -> None:
        deadline = None if budget_seconds is None else monotonic() + budget_seconds
        total = len(pending)
        while pending:
            batch, pending = pending[: 4 * self._workers], pending[4 * self._workers :]
            if deadline is not None and monotonic() > deadline:
                readings.unread |= dict.fromkeys((*batch, *pending), _BUDGET)
                break
            await self._read_batch(batch, files, segment_size, depth, deadline, readings)
            on_progress(total - len(pending), total)

    def forget_all_but(self, files: Iterable[ArchivedFile]) -> None:
        """Drop what is remembered of files that are no more."""
        kept = set(files)
        self._known = {key: scan for key, scan in self._known.items() if key[0] in kept}

    def close(self) -> None:
        """End the workers, busy or not."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        processes = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()

    # -- how -------------------------------------------------------------------------------------

    def _sort_out(
        self,
        archive: ArchiveFacts,
        files: Mapping[str, ArchivedFile],
        depth: Depth,
        readings: SegmentReadings,
    ) -> Iterator[str]:
        """Put aside what is known, compressed or in flight; give the names left, newest first."""
        settled_before = time_ns() - int(SETTLE_SECONDS * 1e9)
        for name in sorted(files, key=lambda name: name[8:], reverse=True):
            file = files[name]
            known = self._known.get((file, depth))
            if known is not None:
                readings.scans[name] = known
            elif name in archive.compressed:
                suffix = Path(file.path).suffix
                readings.unread[name] = f"stored as {suffix}: only its name was looked at"
            elif file.mtime_ns > settled_before and self._may_be_in_flight(file, archive):
                readings.unread[name] = "it may still be written to: it changed a moment ago"
            else:
                yield name

    @staticmethod
    def _may_be_in_flight(file: ArchivedFile, archive: ArchiveFacts) -> bool:
        return file.size_bytes != archive.segment_size_bytes

    async def _read_batch(
        self,
        batch: list[str],
        files: Mapping[str, ArchivedFile],
        segment_size: int,
        depth: Depth,
        deadline: float | None,
        readings: SegmentReadings,
    ) -> None:
        futures: dict[str, Future[ScannedSegment]] = {
            name: self._executor().submit(read_segment, files[name].path, name, segment_size, depth)
            for name in batch
        }
        patience = None if deadline is None else max(deadline - monotonic(), 0) + _SPARE_SECONDS
        waiting = [asyncio.wrap_future(future) for future in futures.values()]
        _, late = await asyncio.wait(waiting, timeout=patience)
        for name, future in zip(batch, waiting, strict=True):
            if future in late:
                future.cancel()
                readings.unread[name] = "reading it takes too long"
                continue
            try:
                scanned = future.result()
            except FileNotFoundError:
                continue  # it vanished since the listing
            except OSError as error:
                readings.unreadable[name] = f"cannot be read: {error.strerror}"
            except BrokenProcessPool:
                readings.unread[name] = "the process that read it was ended"
                self._pool = None
            else:
                readings.scans[name] = scanned
                self._known[files[name], depth] = scanned
        if late:
            self.close()

    def _executor(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload([__name__])  # imported once, not in every worker
            self._pool = ProcessPoolExecutor(self._workers, mp_context=context)
        return self._pool


_BUDGET: Final = "not read yet: the time for this round was used up"
