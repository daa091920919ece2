"""Everything that `pitr-check find` reads, and the story that it makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from agent.check.run import Sources
from agent.cli.entry import CannotCheck
from agent.find.catalogs import files_of, load_catalogs
from agent.find.journals import JournalJob, read_journals
from parsers.heap_page import PAGE_BYTES
from rules.archive import merge_archives
from rules.catalog_rows import CatalogRows
from rules.chronicle import Chapter, Extent, Hole, extent_of, read_chapters
from rules.facts import ArchivedFile, ArchiveFacts
from rules.goal import Goal
from rules.prediction import find_restores
from rules.recovery_start import Start, find_start
from rules.report import Gathered
from rules.restore import Restore, Wal
from rules.story import Story, tell_story
from rules.timelines import Stretch, latest_timeline, path_of

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was read."""

    gathered: Gathered
    archive: ArchiveFacts  # all archives as one
    timeline: int
    path: tuple[Stretch, ...]
    wal: Wal
    restores: tuple[Restore, ...]  # of the backups that the path passes through
    story: Story
    holes: tuple[Hole, ...]
    unread: Mapping[str, str]  # segments of the path that are there and were not read -> why
    extent: Extent

    def file_of(self, segment: str) -> ArchivedFile | None:
        """The file that serves a segment, in an archive or a backup; None when it is nowhere."""
        own = (restore.backup.wal_files for restore in self.restores)
        return serving_file(self.gathered, self.archive, segment) or next(
            (files[segment] for files in own if segment in files), None
        )


def look(
    sources: Sources,
    timeline: str | int,
    *,
    last_us: int | None = None,
    on_progress: Progress = lambda done, total: None,
    add_names: Callable[[CatalogRows], None] = lambda rows: None,
) -> Look:
    """Read archives and backups. Raises CannotCheck for a source that cannot be read.

    `timeline` is latest, current or a number. What was committed later than `last_us` (TimestampTz)
    need not be told of: the story may end behind it.
    """
    looked, restores = _survey(sources.gather(on_progress=on_progress), timeline)
    chapters = looked.story.chapters
    rows, rows_from_lsn = _catalogs(restores, looked.gathered)
    add_names(rows)
    jobs = _jobs(looked, _until(chapters, last_us), rows)
    journals = read_journals(jobs, sources.reading.workers, on_progress)
    return replace(looked, story=tell_story(chapters, journals, rows, rows_from_lsn))


def _survey(gathered: Gathered, timeline: str | int) -> tuple[Look, list[Restore]]:
    """What lies on the path, before anybody looks at what each transaction did."""
    archive = merge_archives((*gathered.archives, *gathered.elsewhere))
    size = archive.segment_size_bytes
    if size is None or not gathered.scans:
        raise CannotCheck(f"{archive.url}: no segment could be read")
    backups = gathered.backups.backups if gathered.backups else ()
    whole = find_restores(gathered.restores, backups)
    number, path, restores = _path(gathered, archive, timeline, whole)
    wal = restores[0].wal if restores else _plain_wal(gathered, size)
    begin_lsn = min((each.backup.label.start_lsn for each in restores), default=None)
    extent = extent_of(wal, path, begin_lsn)
    if extent is None:
        raise CannotCheck(f"no segment of timeline {number} or of its ancestors is there")
    not_reached = extent_of(_unread_wal(gathered, size), path, None) or extent
    extent = Extent(min(extent.first, not_reached.first), max(extent.last, not_reached.last))
    pages = list(read_chapters(wal, path, extent))
    absent = [page for page in pages if isinstance(page, Hole)]
    chapters = [page for page in pages if isinstance(page, Chapter)]
    if not chapters:
        raise CannotCheck(f"no segment of timeline {number} or of its ancestors could be read")
    looked = Look(
        gathered=gathered, archive=archive, timeline=number, path=path, wal=wal,
        restores=tuple(restores), story=tell_story(chapters, {}, None), extent=extent,
        holes=tuple(each for each in absent if each.segment not in archive.segments),
        unread={s.segment: _why(gathered, s) for s in absent if s.segment in archive.segments},
    )  # fmt: skip
    return looked, restores


def _path(
    gathered: Gathered, archive: ArchiveFacts, timeline: str | int, restores: list[Restore]
) -> tuple[int, tuple[Stretch, ...], list[Restore]]:
    """The timeline meant, its path, and the restores that it passes through, oldest first."""
    goal = Goal(timeline=timeline)  # type: ignore[arg-type]
    starts = [(restore, find_start(restore, goal)) for restore in restores]
    passing = [(restore, start) for restore, start in starts if isinstance(start, Start)]
    if passing:
        newest = passing[-1][1]
        same = [restore for restore, start in passing if start.timeline == newest.timeline]
        return newest.timeline, newest.path, same
    known = {int(name[:8], 16) for name in archive.segments}
    if isinstance(timeline, int):
        number = timeline
    elif timeline == "current":
        raise CannotCheck("--timeline current is a backup's own: name a --backup that can be read")
    else:
        number = latest_timeline(archive.histories, max(known, default=1))
    return number, path_of(number, archive.histories.get(number)), []


def _why(gathered: Gathered, hole: Hole) -> str:
    unread = gathered.scan.unread if gathered.scan else {}
    return unread.get(hole.segment, "it went away since the archive was listed")


def _plain_wal(gathered: Gathered, size: int) -> Wal:
    """The WAL that was read, where there is no backup to restore from."""
    return Wal(
        segment_size=size,
        names=gathered.scans.keys(),
        archived=gathered.scans.get,
        find_record=lambda name, lsn, begin_lsn: None,
    )


def _unread_wal(gathered: Gathered, size: int) -> Wal:
    """The WAL that is there and was not read: nobody knows what happened in it."""
    return replace(
        _plain_wal(gathered, size), names=gathered.scan.unread.keys() if gathered.scan else ()
    )


def _until(chapters: list[Chapter], last_us: int | None) -> list[Chapter]:
    """The chapters up to the last that has anything of the period."""
    if last_us is None:
        return chapters
    inside = [
        index
        for index, chapter in enumerate(chapters)
        for facts in (chapter.crossing, chapter.inside)
        if any(time <= last_us for time in facts.transactions.times_us)
    ]
    return chapters[: max(inside, default=0) + 2]


def _catalogs(restores: list[Restore], gathered: Gathered) -> tuple[CatalogRows, int]:
    """The catalogs of the oldest backup, and from which LSN on the WAL goes on from them."""
    major = gathered.server_major or 18
    if not restores:
        return CatalogRows(major=major), 0
    oldest = restores[0].backup
    if oldest.control is not None and oldest.control.block_size != PAGE_BYTES:
        return CatalogRows(major=major), 0  # no name is known where pages are of another size
    return load_catalogs(files_of(Path(oldest.url)), major), oldest.label.start_lsn


def _jobs(looked: Look, chapters: list[Chapter], rows: CatalogRows) -> Iterator[JournalJob]:
    for chapter in chapters:
        file = looked.file_of(chapter.segment)
        if file is not None:
            yield JournalJob(
                chapter.segment, file, looked.wal.segment_size, chapter.end_lsn, rows.files
            )


def serving_file(gathered: Gathered, archive: ArchiveFacts, segment: str) -> ArchivedFile | None:
    """The file of a segment that recovery would be given: its first copy without a flaw."""
    file = archive.segments.get(segment)
    if file is None:
        return None
    bad = {copy.url for copy in (gathered.scan.copies if gathered.scan else ()) if copy.kind}
    copies = (file, *archive.copies.get(segment, ()))
    return next((each for each in copies if each.path not in bad), file)
