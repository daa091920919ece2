"""Reading archived segments: scans by workers, remembered while a file stays the same.

A scan is local to its segment, so the order is free: newest first, because the newest segments
decide how far a restore gets. What a budget left unread is said, and read the next time; what was
read long ago is read again when there is time left, and counts as it was until then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Final

from agent.archive.codecs import READABLE_SUFFIXES
from agent.archive.limits import NO_LIMITS, Limits
from agent.archive.memory import Memory
from agent.archive.progress import OnProgress
from agent.archive.readings import (
    SETTLE_SECONDS,
    Job,
    ScannedSegment,
    SegmentReadings,
    read_segment,
)
from agent.archive.round import Round
from agent.archive.unreadable import why_unreadable
from agent.archive.workers import BrokenExecutor, NoWorkers, StillHangs, Workers, new_workers
from agent.deadline import DeadlinePassed, Worker
from agent.store.meter import StoreUsage
from parsers.segment import ENCRYPTION_SUFFIXES, PARTIAL_SUFFIX
from parsers.sentences import message_of, tr
from parsers.wal.damage import DamageKind
from parsers.wal.scan import Depth
from rules.model.facts import ArchivedFile, ArchiveFacts, BackupFacts

if TYPE_CHECKING:
    from agent.ledger.store import Ledger

__all__ = [
    "SegmentReader",
    "SegmentReadings",
    "files_of",
    "read_segment",
    "segments_to_read",
]

log: Final = logging.getLogger("pitr.archive")

_LEDGER_SECONDS: Final = 30.0  # how long to wait for the ledger, which is a file
READER_SPARE_SECONDS: Final = 4 * _LEDGER_SECONDS  # what a round may take over its budget
_COLD_SECONDS: Final = 3600.0  # how long what is in cold storage is not asked for again
_FILES_A_WORKER: Final = 4  # so that none waits for us
_LATE: Final = tr("reading it takes too long")


def segments_to_read(
    archive: ArchiveFacts, backups: Iterable[BackupFacts]
) -> dict[str, ArchivedFile]:
    """The segments that some restore could need: from the oldest backup's start on, or all."""
    oldest = min((backup.label.start_segment[8:] for backup in backups), default="")
    return {name: file for name, file in archive.segments.items() if name[8:] >= oldest}


class SegmentReader:
    """Workers, there while they are needed, and a memory of what they read.

    With a ledger the memory outlives this process.
    """

    def __init__(
        self,
        workers: int = 1,
        *,
        ledger: Ledger | None = None,
        limits: Limits = NO_LIMITS,
        digests: bool = False,
        read: Callable[..., ScannedSegment] = read_segment,
        on: Workers | None = None,
    ) -> None:
        self._workers = on or new_workers(workers)
        self.read_one = read
        self._limits = limits
        self._packs = ledger is not None
        self._digests = digests  # of every content, whether or not it has copies
        self._memory = _memory_in(ledger) if ledger else Memory()
        self.usage = StoreUsage()  # what was asked of stores
        self._cold: dict[ArchivedFile, float] = {}  # in cold storage, when it was last asked for
        self._thread = Worker("ledger")

    async def read(
        self,
        archive: ArchiveFacts,
        files: Mapping[str, ArchivedFile],
        segment_size: int,
        depth: Depth,
        *,
        budget_seconds: float | None = None,
        on_progress: OnProgress = lambda *_: None,
    ) -> SegmentReadings:
        """Read what is not known yet, newest first, until the budget (None: unlimited) is over.

        Raises NoProcess.
        """
        readings = SegmentReadings()
        wanted = list(_jobs(archive, files))
        begin = partial(self._memory.begin, [job.file for job in wanted], segment_size, depth)
        await self._ask_ledger(begin)
        jobs, old = self._sort_out(wanted, readings)
        task = Round(readings, segment_size, depth, budget_seconds, archive.listed_at, self._limits)
        if jobs or old:
            try:
                await self._read_all(jobs, old, task, on_progress)
            finally:
                self.close()
                await self._ask_ledger(self._memory.flush)
        await self._ask_ledger(partial(self._find_stretches, wanted, readings))
        readings.arrange({job.file: place for place, job in enumerate(wanted) if job.compare})
        return readings

    async def _read_all(
        self, jobs: list[Job], old: list[Job], task: Round, on_progress: OnProgress
    ) -> None:
        """First what is not known, then what was read too long ago."""
        total, read_bytes = len(jobs) + len(old), 0

        def tell(done: list[Job], before: int) -> None:
            nonlocal read_bytes
            read_bytes += sum(job.file.size_bytes for job in done)
            on_progress(before + len(done), total, read_bytes, self._workers.described)

        answered = 0
        async for done in self._read_jobs(jobs, task):
            tell(done, answered)
            answered += len(done)
        while old and not task.is_over:
            size = self._window
            batch, old = old[:size], old[size:]
            await self._read_again(batch, task)
            tell(batch, answered)
            answered += len(batch)

    @property
    def _window(self) -> int:
        """How many files are begun, or wait, at once."""
        return _FILES_A_WORKER * self._workers.count

    async def forget_all_but(self, files: Iterable[ArchivedFile]) -> None:
        """Drop what is remembered of files that are no more."""
        await self._ask_ledger(partial(self._memory.forget_all_but, list(files)))

    def close(self) -> None:
        """Give up what is being read."""
        self._workers.close()

    # -- how -------------------------------------------------------------------------------------

    async def _ask_ledger(self, call: Callable[[], None]) -> None:
        """Let nothing that a disk or another process holds up stop the loop."""
        with suppress(DeadlinePassed):
            await self._thread.run(_LEDGER_SECONDS, call)

    def _find_stretches(self, wanted: Sequence[Job], readings: SegmentReadings) -> None:
        readings.joined = self._memory.stretches(wanted)

    async def _flush_when_due(self) -> None:
        if self._memory.is_due:
            await self._ask_ledger(self._memory.flush)

    def _sort_out(
        self, jobs: Iterable[Job], readings: SegmentReadings
    ) -> tuple[list[Job], list[Job]]:
        """What is to be read, and what is known from so long ago that it is to be read again.

        What no library here can read is put aside.
        """
        age = self._limits.reverify_seconds
        before = None if age is None else datetime.now(UTC) - timedelta(seconds=age)
        unknown, old = list[Job](), list[Job]()
        for job in jobs:
            known = self._memory.find(job)
            if known is not None:
                readings.take(job, known)
                if before is not None and known.read_at < before:
                    old.append(job)
            elif monotonic() - self._cold.get(job.file, -_COLD_SECONDS) < _COLD_SECONDS:
                if job.name not in readings.scans:
                    readings.unreadable[job.name] = tr("it is in cold storage")
                    readings.cold.add(job.name)
            elif _is_foreign_codec(job.file.name):
                suffix = job.file.name[len(job.name) :]
                readings.unread[job.name] = tr(
                    "stored as {suffix}: only its name was checked", suffix=suffix
                )
            else:
                unknown.append(job)
        return unknown, old

    async def _read_again(self, batch: list[Job], task: Round) -> None:
        """Read known files again; what could not even be begun stays as it was."""
        readings, before = task.readings, {job: self._memory.find(job) for job in batch}
        for job in batch:
            readings.drop(job)
        async for _ in self._read_jobs(batch, task):
            pass
        for job, known in before.items():
            if known and job not in task.answered:
                readings.take(job, known)

    async def _read_jobs(self, jobs: list[Job], task: Round) -> AsyncIterator[list[Job]]:
        """Read files, as many at once as there are workers for; give them as they are done."""
        waiting: dict[asyncio.Future[ScannedSegment], Job] = {}
        try:
            for place, job in enumerate(jobs):
                while len(waiting) >= self._window:
                    yield await self._await_some(waiting, task)
                await task.pace(job.file.size_bytes)
                if task.is_over:
                    task.leave(jobs[place:])
                    break
                future = self._begin(job, task)
                if future is not None:
                    waiting[future] = job
            while waiting:
                yield await self._await_some(waiting, task)
        finally:  # also when the agent stops in the middle of it
            for answer in waiting:
                if not answer.cancel() and not answer.cancelled():
                    answer.exception()

    def _begin(self, job: Job, task: Round) -> asyncio.Future[ScannedSegment] | None:
        """Have a file read; None: it cannot be, and why is said."""
        try:
            future = self._workers.submit(
                job.file.path, self.read_one,
                job.file, job.name, task.segment_size, task.depth,
                job.compare or self._digests, self._packs,
            )  # fmt: skip
        except StillHangs:
            task.readings.unread[job.name] = tr(
                "reading it takes too long: an earlier look at it still hangs"
            )
        except BrokenExecutor as error:
            self._lose_worker(job, error, task)
        else:
            return asyncio.wrap_future(future)
        return None

    async def _await_some(
        self, waiting: dict[asyncio.Future[ScannedSegment], Job], task: Round
    ) -> list[Job]:
        """Take what comes next out of what is waited for; if nothing comes in time, all."""
        done, late = await asyncio.wait(
            waiting, timeout=task.patience_seconds, return_when=asyncio.FIRST_COMPLETED
        )
        if not done:
            for answer in late:
                answer.cancel()
                task.readings.unread[waiting[answer].name] = _LATE
            self.close()
        taken = [(waiting.pop(answer), answer) for answer in done or late]
        for job, answer in taken if done else ():
            self._receive(job, answer, task)
        await self._flush_when_due()
        return [job for job, _ in taken]

    def _receive(self, job: Job, future: asyncio.Future[ScannedSegment], task: Round) -> None:
        readings = task.readings
        try:
            scanned = future.result()
            growing = _still_growing(job.file, scanned, task.settled_before)
        except FileNotFoundError:
            task.answered.add(job)  # it vanished since the listing
        except BrokenExecutor as error:
            self._lose_worker(job, error, task)
        except Exception as failure:  # of one file, and no reason to lose the others
            task.answered.add(job)
            self.usage.add(getattr(failure, "usage", None))
            log.debug("%s is unreadable", job.file.path, exc_info=failure)
            if job.name not in readings.scans:  # else another file of it could be read
                readings.unreadable[job.name] = why_unreadable(failure)
                if getattr(failure, "is_cold", False):
                    self._cold[job.file] = monotonic()
                    readings.cold.add(job.name)
        else:
            task.answered.add(job)
            self.usage.add(scanned.usage)
            scanned.usage = None  # it is counted: what is kept of a segment is kept of a million
            if growing is None:
                readings.take(job, self._memory.keep(job, scanned))
            elif job.name not in readings.scans:
                readings.unread[job.name] = growing
                readings.growing.add(job.name)

    def _lose_worker(self, job: Job, error: Exception, task: Round) -> None:
        if isinstance(error, NoWorkers):
            why = message_of(error)
        elif isinstance(error, OSError):
            why = tr("no process could be started to read it: {reason}", reason=error.strerror)
        else:
            why = tr("the process that read it was ended")
            self.close()
        task.readings.unread[job.name] = why


def _memory_in(ledger: Ledger) -> Memory:
    from agent.archive.ledger_memory import LedgerMemory  # its imports cost start-up time

    return LedgerMemory(ledger)


def files_of(archive: ArchiveFacts) -> Iterator[ArchivedFile]:
    """Every file of a segment, copies too."""
    yield from archive.segments.values()
    for copies in archive.copies.values():
        yield from copies


def _jobs(archive: ArchiveFacts, files: Mapping[str, ArchivedFile]) -> Iterator[Job]:
    """Every file of the segments wanted, newest segment first, the first file of it first."""
    for name in sorted(files, key=lambda name: name[8:], reverse=True):
        copies = archive.copies.get(name, ())
        for file in (files[name], *copies):
            yield Job(name, file, bool(copies))


def _is_foreign_codec(stored: str) -> bool:
    readable = (*READABLE_SUFFIXES, *ENCRYPTION_SUFFIXES, PARTIAL_SUFFIX)
    return "." in stored and not stored.endswith(readable)


def _still_growing(
    file: ArchivedFile, scanned: ScannedSegment, settled_before: float
) -> str | None:
    """Why a short file is not judged yet; None when it is whole, or has been still long enough."""
    if file.mtime_ns / 1e9 < settled_before:
        return None
    damage = scanned.scan.damage
    if damage is None or damage.kind is not DamageKind.TRUNCATED:
        return None
    return tr(
        "it may still be written to, it changed a moment ago: {detail}; "
        "unless it grows, it counts as truncated {seconds:g} s after "
        "its last change",
        detail=damage.detail,
        seconds=SETTLE_SECONDS,
    )
