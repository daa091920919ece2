"""What each transaction wrote, and what it did to catalogs: segment by segment.

Beside the compiled engine the first look at the segments brings it along (`JournalsTaken`). What
that left out is read again: in threads, and with the numpy engine in worker processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Final, NamedTuple

from agent.archive import ciphers
from agent.archive.ciphers import Cipher
from agent.archive.progress import OnProgress
from agent.archive.stored import read_stored
from agent.archive.unreadable import Unreadable, read_guarded
from agent.archive.workers import Threads
from agent.engine import running
from agent.store.urls import StoreSettings, adopt, remembered
from parsers.segment import parse_segment_name
from parsers.sentences import message_of
from parsers.wal.journal import Journal, JournalWanted
from parsers.wal.journal_segment import journal_segment
from rules.model.facts import ArchivedFile

_FEW: Final = 4  # segments that are read before the processes would have started

MakeJournal = Callable[..., Journal]


class JournalJob(NamedTuple):
    """One segment to read."""

    segment: str
    file: ArchivedFile
    segment_size: int
    end_lsn: int  # what follows was not found sound, or is not of the path
    catalogs: frozenset[int]


class Journals(NamedTuple):
    """What was read, by segment."""

    found: dict[str, Journal]
    unread: dict[str, str]  # why there is none; a file that went away since its scan is in neither


class JournalsTaken:
    """What the scans of segments brought along, where they asked for it. Of many threads."""

    def __init__(self, catalogs: frozenset[int]) -> None:
        self._catalogs = catalogs  # which are not known for sure before the segments are
        self._taken: dict[ArchivedFile, tuple[Journal, int]] = {}

    def of(self, file: ArchivedFile) -> JournalWanted:
        return JournalWanted(self._catalogs, partial(self._take, file))

    def _take(self, file: ArchivedFile, journal: Journal, end_lsn: int) -> None:
        self._taken[file] = journal, end_lsn

    def find(self, job: JournalJob) -> Journal | None:
        """The journal of a segment, unless other catalogs or an earlier end are asked for."""
        journal, end_lsn = self._taken.get(job.file, (None, 0))
        return journal if job.catalogs == self._catalogs and end_lsn <= job.end_lsn else None


def read_journals(
    jobs: Iterable[JournalJob],
    workers: int,
    on_progress: OnProgress,
    taken: JournalsTaken | None = None,
) -> Journals:
    """Read the journals of some segments: what fails on one says so of that one.

    Raises NoProcess.
    """
    journals, wanted = Journals({}, {}), list[JournalJob]()
    for job in jobs:
        if taken and (found := taken.find(job)) is not None:
            journals.found[job.segment] = found
        else:
            wanted.append(job)
    for done, (job, journal) in enumerate(_read_all(wanted, workers), start=1):
        if isinstance(journal, str):
            journals.unread[job.segment] = journal
        elif journal is not None:
            journals.found[job.segment] = journal
        on_progress(done, len(wanted))
    return journals


def _read_all(
    jobs: list[JournalJob], workers: int
) -> Iterator[tuple[JournalJob, Journal | str | None]]:
    if workers == 1 or len(jobs) <= _FEW:
        yield from ((job, read_journal(job)) for job in jobs)
    elif running() == "c":
        yield from _read_in_threads(jobs, workers)
    else:
        from agent.processes import new_pool, starting

        begin = partial(_begin, remembered(), dict(ciphers.remembered()))
        with new_pool(min(workers, len(jobs)), (__name__,), begin) as pool:
            with starting():
                journals = pool.map(read_journal, jobs, chunksize=2)
            yield from zip(jobs, journals, strict=True)


def _read_in_threads(
    jobs: list[JournalJob], workers: int
) -> Iterator[tuple[JournalJob, Journal | str | None]]:
    threads = Threads(workers)
    try:
        futures = [threads.submit(job.file, read_journal, job) for job in jobs]
        for job, future in zip(jobs, futures, strict=True):
            yield job, future.result()
    finally:
        threads.close()


def _begin(stores: Mapping[str, StoreSettings], keys: Mapping[str, Cipher]) -> None:
    """What this process knows, in a worker."""
    adopt(stores)
    ciphers.adopt(keys)


def read_journal(job: JournalJob, make: MakeJournal = journal_segment) -> Journal | str | None:
    """Read one, in a worker: its journal, why there is none, or None when it is gone."""
    try:
        return read_guarded(partial(_read_journal, job, make))
    except FileNotFoundError:
        return None
    except Unreadable as error:
        return message_of(error)


def _read_journal(job: JournalJob, make: MakeJournal) -> Journal:
    timeline, number = parse_segment_name(job.segment, job.segment_size)
    content = read_stored(job.file.directory, job.file.name, job.segment_size)
    return make(
        content.data,
        name_timeline=timeline,
        segment_number=number,
        end_lsn=job.end_lsn,
        catalogs=job.catalogs,
    )
