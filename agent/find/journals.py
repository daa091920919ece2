"""Reading what scans leave out, segment by segment, in worker processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Final, NamedTuple

from agent.archive import ciphers
from agent.archive.ciphers import Cipher
from agent.archive.progress import OnProgress
from agent.archive.stored import read_stored
from agent.archive.unreadable import Unreadable, read_guarded
from agent.processes import new_pool, starting
from agent.store.urls import StoreSettings, adopt, remembered
from parsers.segment import parse_segment_name
from parsers.sentences import message_of
from parsers.wal.journal import Journal, journal_segment
from rules.model.facts import ArchivedFile

_FEW: Final = 4  # segments that are read before the processes would have started

MakeJournal = Callable[..., Journal]


class JournalJob(NamedTuple):
    """One segment to read."""

    segment: str
    file: ArchivedFile
    segment_size: int
    end_lsn: int  # what follows was not found sound
    catalogs: frozenset[int]


class Journals(NamedTuple):
    """What was read, by segment."""

    found: dict[str, Journal]
    unread: dict[str, str]  # why there is none; a file that went away since its scan is in neither


def read_journals(jobs: Iterable[JournalJob], workers: int, on_progress: OnProgress) -> Journals:
    """Read the journals of some segments: what fails on one says so of that one."""
    wanted = list(jobs)
    journals = Journals({}, {})
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
        return
    begin = partial(_begin, remembered(), dict(ciphers.remembered()))
    with new_pool(min(workers, len(jobs)), (__name__,), begin) as pool:
        with starting():
            journals = pool.map(read_journal, jobs, chunksize=2)
        yield from zip(jobs, journals, strict=True)


def _begin(stores: Mapping[str, StoreSettings], keys: Mapping[str, Cipher]) -> None:
    """What this process knows, in a worker."""
    adopt(stores)
    ciphers.adopt(keys)


def read_journal(job: JournalJob, make: MakeJournal = journal_segment) -> Journal | str | None:
    """Read one, in a worker process: its journal, why there is none, or None when it is gone."""
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
