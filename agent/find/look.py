"""Everything that `pitr-check find` reads, and the story that it makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from agent.archive.progress import OnProgress
from agent.engine import running
from agent.errors import CannotCheck, NoProcess
from agent.find.catalogs import files_of, load_catalogs
from agent.find.journals import JournalJob, JournalsTaken, read_journals
from agent.find.times import FindTimes, InstantsAsked
from agent.inputs.sources import Sources
from agent.repositories.repository import BackupFiles
from agent.repositories.sources import RepositorySources
from agent.store.paths import AnyPath, any_path
from parsers.sentences import message_of, tr
from parsers.values import dataclass
from parsers.wal.heap_page import PAGE_BYTES
from parsers.wal.pg_catalog import Catalog
from parsers.wal.scan import SegmentScan
from rules.case.case import Case
from rules.case.context import Context
from rules.case.derived.listing import Identity
from rules.case.derived.restores import restores_of
from rules.case.derived.segments import WalIdentity, scans_of
from rules.events.catalog_rows import CatalogRows
from rules.events.path_segments import Chapter, Extent, MissingSegment, extent_of, read_chapters
from rules.events.transactions import PathTransactions, tell_story
from rules.model.facts import ArchivedFile, ArchiveFacts, BackupsFacts, ScanFacts
from rules.model.goal import Goal
from rules.model.restore_inputs import RestoreInputs, Wal
from rules.model.scans import JoinedScans, Scans
from rules.model.timelines import Stretch, in_order, latest_timeline, path_of
from rules.recovery.prediction import find_restores
from rules.recovery.start import Start, find_start


@dataclass(frozen=True, slots=True, kw_only=True)
class FindInput:
    """What was read."""

    case: Case
    times: InstantsAsked
    archive: ArchiveFacts  # all archives as one
    timeline: int
    path: tuple[Stretch, ...]
    wal: Wal
    restores: tuple[RestoreInputs, ...]  # of the backups that the path passes through
    story: PathTransactions
    holes: tuple[MissingSegment, ...]
    unread: Mapping[str, str]  # segments of the path that are there and were not read -> why
    extent: Extent

    def file_of(self, segment: str) -> ArchivedFile | None:
        """The file that serves a segment, in an archive or a backup; None when it is nowhere."""
        own = (restore.backup.wal_files for restore in self.restores)
        return serving_file(self.case, self.archive, segment) or next(
            (files[segment] for files in own if segment in files), None
        )


def look(
    sources: Sources,
    timeline: str | int,
    *,
    times: FindTimes,
    on_progress: OnProgress = lambda *_: None,
    add_names: Callable[[CatalogRows], None] = lambda rows: None,
) -> FindInput:
    """Read archives and backups. Raises CannotCheck for a source that cannot be read.

    `timeline` is latest, current or a number. What was committed later than the latest of `times`
    need not be told of: the WAL that is read may end after it.
    """
    taken = None
    if running() == "c" and sources.reading.scheduler is None:
        taken = JournalsTaken(frozenset(map(int, Catalog)))
        sources = replace(sources, reading=replace(sources.reading, journals=taken.of))
    case = sources.gather(Context(depth="records"), on_progress=on_progress)
    read = times.read(case.get(BackupsFacts))
    looked, restores = _survey(case, timeline, read)
    chapters = looked.story.chapters
    rows, rows_from_lsn = _catalogs(restores, looked.case, sources.repositories)
    add_names(rows)
    jobs = _jobs(looked, _until(chapters, read.until_us), rows)
    try:
        journals = read_journals(jobs, sources.reading.workers, on_progress, taken)
    except NoProcess as error:
        raise CannotCheck(message_of(error)) from None
    return replace(
        looked,
        story=tell_story(chapters, journals.found, rows, rows_from_lsn),
        unread={**looked.unread, **journals.unread},
    )


def _survey(
    case: Case, timeline: str | int, times: InstantsAsked
) -> tuple[FindInput, list[RestoreInputs]]:
    """What lies on the path, before anybody looks at what each transaction did."""
    archive, found, identity = case.get(ArchiveFacts), case.get(BackupsFacts), case.get(Identity)
    assert archive is not None, "one was named"
    size, scans = identity.segment_size_bytes if identity else None, scans_of(case)
    if size is None or not scans:
        raise CannotCheck(tr("{url}: no segment could be read", url=archive.url))
    whole = find_restores(restores_of(case), found.backups if found else ())
    number, path, restores = _path(archive, timeline, whole)
    wal = restores[0].wal if restores else _plain_wal(scans, size)
    begin_lsn = min((each.backup.label.start_lsn for each in restores), default=None)
    extent = extent_of(wal, path, begin_lsn)
    if extent is None:
        raise CannotCheck(tr("no segment of timeline {id} or of its ancestors is there", id=number))
    scan = case.get(ScanFacts)
    unread = scan.unread if scan else {}
    not_reached = extent_of(_unread_wal(unread, size), path, None) or extent
    extent = Extent(min(extent.first, not_reached.first), max(extent.last, not_reached.last))
    carried = (name for restore in restores for name in restore.backup.wal)
    pages = list(read_chapters(wal, path, extent, also=(*archive.segments, *carried)))
    absent = [page for page in pages if isinstance(page, MissingSegment)]
    chapters = [page for page in pages if isinstance(page, Chapter)]
    if not chapters:
        raise CannotCheck(
            tr("no segment of timeline {id} or of its ancestors could be read", id=number)
        )
    looked = FindInput(
        case=case, times=times, archive=archive, timeline=number, path=path, wal=wal,
        restores=tuple(restores), story=tell_story(chapters, {}, None), extent=extent,
        holes=tuple(each for each in absent if each.segment not in archive.segments),
        unread={s.segment: _why(unread, s) for s in absent if s.segment in archive.segments},
    )  # fmt: skip
    return looked, restores


def _path(
    archive: ArchiveFacts, timeline: str | int, restores: list[RestoreInputs]
) -> tuple[int, tuple[Stretch, ...], list[RestoreInputs]]:
    """The timeline meant, its path, and the restores that it passes through, oldest first."""
    goal = Goal(timeline=timeline)  # type: ignore[arg-type]
    starts = [(restore, find_start(restore, goal)) for restore in restores]
    passing = [(restore, start) for restore, start in starts if isinstance(start, Start)]
    if passing:
        newest = passing[-1][1]
        same = [restore for restore, start in passing if start.timeline == newest.timeline]
        return newest.timeline, in_order(newest.path), same
    known = {int(name[:8], 16) for name in archive.segments}
    if isinstance(timeline, int):
        number = timeline
    elif timeline == "current":
        raise CannotCheck(
            tr("--timeline current is a backup's own: name a --backup that can be read")
        )
    else:
        number = latest_timeline(archive.histories, max(known, default=1))
    return number, in_order(path_of(number, archive.histories.get(number))), []


def _why(unread: Mapping[str, str], hole: MissingSegment) -> str:
    return unread.get(hole.segment, tr("it went away since the archive was listed"))


def _plain_wal(scans: Scans, size: int) -> Wal:
    """The WAL that was read, where there is no backup to restore from."""
    return Wal(
        segment_size=size,
        names=scans.keys(),
        archived=scans.get,
        find_record=lambda name, lsn, begin_lsn: None,
    )


def _unread_wal(unread: Mapping[str, str], size: int) -> Wal:
    """The WAL that is there and was not read: what happened in it is unknown."""
    return _plain_wal(JoinedScans(unread.keys(), _never_read, {}), size)


def _never_read(name: str) -> SegmentScan:
    raise KeyError(name)


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


def _catalogs(
    restores: list[RestoreInputs], case: Case, repositories: RepositorySources
) -> tuple[CatalogRows, int]:
    """The catalogs of the oldest backup, and from which LSN on the WAL continues from them."""
    identity = case.get(WalIdentity)
    major = (identity and identity.server_major) or 18
    if not restores:
        return CatalogRows(major=major), 0
    oldest = restores[0].backup
    if oldest.control is not None and oldest.control.block_size != PAGE_BYTES:
        return CatalogRows(major=major), 0  # no name is known where pages are of another size
    place: AnyPath | BackupFiles | None = any_path(oldest.url)
    if oldest.stored is not None:
        place = repositories.files(oldest.stored)
    if place is None:
        return CatalogRows(major=major), 0
    files = files_of(place) if isinstance(place, AnyPath) else place
    return load_catalogs(files, major), oldest.label.start_lsn


def _jobs(looked: FindInput, chapters: list[Chapter], rows: CatalogRows) -> Iterator[JournalJob]:
    for chapter in chapters:
        file = looked.file_of(chapter.segment)
        if file is not None:
            yield JournalJob(
                chapter.segment, file, looked.wal.segment_size, chapter.end_lsn, rows.files
            )


def serving_file(case: Case, archive: ArchiveFacts, segment: str) -> ArchivedFile | None:
    """The file of a segment that recovery would be given: its first copy without a flaw."""
    file = archive.segments.get(segment)
    if file is None:
        return None
    scan = case.get(ScanFacts)
    bad = {copy.url for copy in (scan.copies if scan else ()) if copy.kind}
    copies = (file, *archive.copies.get(segment, ()))
    return next((each for each in copies if each.path not in bad), file)
