"""Reading what scans leave out, segment by segment, in worker processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Final, NamedTuple

from agent.archive.stored import read_stored
from parsers.errors import ParseError
from parsers.segment import parse_segment_name
from parsers.wal_journal import Journal, journal_segment
from rules.facts import ArchivedFile

_FEW: Final = 4  # segments that are read before the processes would have started


class JournalJob(NamedTuple):
    """One segment to read."""

    segment: str
    file: ArchivedFile
    segment_size: int
    end_lsn: int  # what is behind was not found sound
    catalogs: frozenset[int]


def read_journals(
    jobs: Iterable[JournalJob], workers: int, on_progress: Callable[[int, int], None]
) -> dict[str, Journal]:
    """The journals by segment. One whose file went away since it was scanned is left out."""
    wanted = list(jobs)
    found: dict[str, Journal] = {}
    for done, (job, journal) in enumerate(_read_all(wanted, workers), start=1):
        if journal is not None:
            found[job.segment] = journal
        on_progress(done, len(wanted))
    return found


def _read_all(jobs: list[JournalJob], workers: int) -> Iterator[tuple[JournalJob, Journal | None]]:
    if workers == 1 or len(jobs) <= _FEW:
        yield from ((job, read_journal(job)) for job in jobs)
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=context) as pool:
        yield from zip(jobs, pool.map(read_journal, jobs, chunksize=2), strict=True)


def read_journal(job: JournalJob) -> Journal | None:
    """Read one. Runs in a worker process."""
    timeline, number = parse_segment_name(job.segment, job.segment_size)
    try:
        content = read_stored(job.file.directory, job.file.name, job.segment_size)
        return journal_segment(
            content.data,
            name_timeline=timeline,
            segment_number=number,
            end_lsn=job.end_lsn,
            catalogs=job.catalogs,
        )
    except (OSError, ParseError):
        return None
