"""Everything that `pitr-check` reads, as a case: before anything is judged."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from agent.archive.directory import NotAnArchive, list_archive
from agent.archive.limits import NO_LIMITS, Limits
from agent.archive.pg_wal import list_pg_wal, still_written, with_partials
from agent.archive.progress import OnProgress
from agent.backups.describe import BackupDepth, NotABackup
from agent.backups.find import read_any_backup, read_backups
from agent.backups.tar import is_tar_backup
from agent.errors import CannotCheck, NoProcess, UsageError
from agent.inputs.misplaced import (
    in_place_of_archive,
    in_place_of_backup,
    in_place_of_backups,
    in_place_of_wal,
    is_empty,
    is_laid_out_by_another,
)
from agent.language import say
from agent.repositories.sources import NO_REPOSITORIES, RepositorySources
from agent.store.paths import AnyPath, any_path
from parsers.errors import ParseError
from parsers.sentences import message_of, tr
from parsers.values import dataclass
from parsers.wal.scan import Depth
from rules.case.case import Case
from rules.case.context import Context
from rules.case.derived.listing import Identity
from rules.case.observations import ArchiveListings, BackupsRead, SegmentsRead
from rules.model.counted import counted
from rules.model.facts import ArchivedFile, ArchiveFacts, BackupFacts, BackupsFacts

if TYPE_CHECKING:
    from agent.archive.readings import JournalsOf
    from agent.archive.workers import Workers
    from agent.ledger.store import Ledger


class EmptyArchive(CannotCheck):
    """An archive that was named holds nothing. The rest has been read: `case` knows it."""

    def __init__(self, message: str, case: Case) -> None:
        self.case = case
        super().__init__(message)


T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingOptions:
    """How segments are to be read."""

    workers: int
    scheduler: str | None = None  # of the Dask cluster whose workers read; None: this process does
    ledger: Ledger | None = None
    limits: Limits = NO_LIMITS
    digests: bool = False  # of each segment's content, for a signed statement
    budget_seconds: float | None = None
    journals: JournalsOf | None = None  # asks for what transactions wrote, in threads here only


def gather(
    archives: Sequence[str],
    backups: Sequence[str],
    backups_below: str | None,
    elsewhere: Sequence[str] = (),
    *,
    context: Context,
    backup_depth: BackupDepth,
    reading: ReadingOptions,
    repositories: RepositorySources = NO_REPOSITORIES,
    needs_zone: bool = False,
    on_progress: OnProgress = lambda *_: None,
) -> Case:
    """Read it. Raises CannotCheck when an archive or a backup that was named cannot be read.

    Of an empty archive nobody can say whether it is the right one: EmptyArchive has what else is.

    `elsewhere` names WAL that is in no archive, as a dead primary's pg_wal. Backups are read before
    the archives are listed: what they need must have been there to be listed. A time without a zone
    is read in theirs; `needs_zone` says that the caller has such a time as well.
    """
    needs_zone |= context.asked is not None and context.asked.needs_zone
    alone = not (archives or elsewhere or repositories.opened)
    found = _read_backups(backups, backups_below, backup_depth, needs_zone, alone)
    found = repositories.read_backups(found, backup_depth)
    case = Case(context=_in_their_zone(context, found))
    if found is not None:
        case = case.having(BackupsRead(found=found))
    if (tools := repositories.facts()) is not None:
        case = case.having(tools)
    listed = (
        *(_list(url, context.depth == "names") for url in archives),
        *repositories.list_archives(),
    )
    further = tuple(_list_elsewhere(url) for url in elsewhere)
    gc.freeze()  # a million files need not be looked through again and again for cycles
    gc.enable()
    if listed or further:
        written = frozenset[str]().union(*map(still_written, further))
        case = case.having(ArchiveListings(archives=listed, elsewhere=further, written=written))
    empty = next((each for each in listed if not _holds_anything(each)), None)
    said = _why_empty(empty.url, reading.ledger) if empty is not None else ""
    if context.depth != "names":
        case = _with_segments(case, context.depth, reading, repositories, on_progress)
    if said:
        raise EmptyArchive(said, case)
    return case


def _in_their_zone(context: Context, found: BackupsFacts | None) -> Context:
    """The question, with its time read as the restored server would."""
    asked = context.asked
    if asked is None or not asked.needs_zone:
        return context
    from agent.backups.zone import server_zone

    zone, source = server_zone(found)
    try:
        goal = asked.goal.in_zone(zone)
    except ParseError as error:
        raise UsageError(error.message) from None
    note = tr(
        "; the time was given without a zone and read as {zone} ({source})",
        zone=zone.key,
        source=source,
    )
    return replace(context, asked=replace(asked, goal=goal, note=f"{asked.note}{note}"))


def _with_segments(
    case: Case,
    depth: Depth,
    reading: ReadingOptions,
    repositories: RepositorySources,
    on_progress: OnProgress,
) -> Case:
    """The same case, and what the segments say."""
    import asyncio  # and what reads: not for names alone

    from agent.archive.scanner import segments_to_read

    archive, identity = case.get(ArchiveFacts), case.get(Identity)
    size = identity.segment_size_bytes if identity else None
    if archive is None or size is None:
        return case
    known = case.get(BackupsFacts)
    files = segments_to_read(archive, known.backups if known else ())
    try:
        read = asyncio.run(_read(archive, files, size, depth, reading, repositories, on_progress))
    except NoProcess as error:
        raise CannotCheck(message_of(error)) from None
    return case.having(read)


def _list(url: str, by_names: bool) -> ArchiveFacts:
    try:
        listed = list_archive(url, by_names=by_names)
    except NotAnArchive as error:
        if said := in_place_of_archive(url):
            raise UsageError(tr("--archive {said}", said=said)) from None
        raise CannotCheck(message_of(error)) from None
    some = next(iter(listed.segments.values()), None)
    if (some is None or is_laid_out_by_another(url, some)) and (said := in_place_of_archive(url)):
        raise UsageError(tr("--archive {said}", said=said))
    return listed


def _holds_anything(facts: ArchiveFacts) -> bool:
    return bool(facts.segments or facts.histories or facts.impossible or facts.no_files)


def _why_empty(url: str, ledger: Ledger | None) -> str:
    """What may be the matter: a ledger knows whether anything was there before."""
    if ledger is not None:
        ledger.open()
        if held := ledger.count_below(url):
            known = counted(held, "segment")
            return tr(
                "{url} is empty, and held {known} at the last look: is it mounted?",
                url=url,
                known=known,
            )
    return tr("{url} is empty: is this the directory that archive_command writes to?", url=url)


def _list_elsewhere(url: str) -> ArchiveFacts:
    try:
        return with_partials(list_pg_wal(url))
    except NotAnArchive as error:
        if said := in_place_of_wal(url):
            raise UsageError(tr("--wal {said}", said=said)) from None
        raise CannotCheck(tr("--wal {error}", error=error)) from None


def _read_backups(
    backups: Sequence[str],
    backups_below: str | None,
    depth: BackupDepth,
    needs_zone: bool,
    alone: bool,
) -> BackupsFacts | None:
    """The backups named one by one, which must be readable, and those found below a directory.

    In a tar the settings, and with them the zone, lie anywhere after the label. `alone`: no WAL was
    named.
    """
    if not backups and backups_below is None:
        return None

    def read(path: AnyPath, depth: BackupDepth) -> BackupFacts:
        return read_any_backup(path, "files" if needs_zone and is_tar_backup(path) else depth)

    named = [_found("--backup", url, lambda url: read(any_path(url), depth)) for url in backups]
    below = None
    if backups_below:
        if said := in_place_of_backups(backups_below, alone=alone):
            raise UsageError(tr("--backups {said}", said=said))
        below = _found("--backups", backups_below, lambda url: read_backups(url, depth, read))
    found = [*named, *(below.backups if below else ())]
    found.sort(key=lambda backup: (backup.label.start_lsn, backup.url))
    if below is None:
        return BackupsFacts(backups=tuple(found), unreadable={}, depth=depth)
    return replace(below, backups=tuple(found))


def _found(option: str, url: str, read: Callable[[str], T]) -> T:
    """What a backup's reader gives. Raises UsageError for another tool's, else CannotCheck."""
    try:
        found = read(url)
        nothing = isinstance(found, BackupsFacts) and not found.backups
        if nothing and (said := in_place_of_backup(url, option)):
            raise UsageError(f"{option} {said}")
        return found
    except NotABackup as error:
        if said := in_place_of_backup(url, option):
            raise UsageError(f"{option} {said}") from None
        if is_empty(url):
            raise CannotCheck(
                tr("{option} {url} is empty: is it mounted?", option=option, url=url)
            ) from None
        raise CannotCheck(message_of(error)) from None


async def _read(
    archive: ArchiveFacts,
    files: Mapping[str, ArchivedFile],
    segment_size: int,
    depth: Depth,
    reading: ReadingOptions,
    repositories: RepositorySources,
    on_progress: OnProgress,
) -> SegmentsRead:
    """Read the segments that some restore could need."""
    from agent.archive.scanner import SegmentReader, files_of
    from agent.backups.restore_inputs import segments_read

    read = repositories.read_segment
    reader = SegmentReader(
        reading.workers,
        on=_elsewhere(reading),
        ledger=reading.ledger,
        limits=reading.limits,
        digests=reading.digests,
        read=partial(read, journals=reading.journals) if reading.journals else read,
    )
    readings = await reader.read(
        archive,
        files,
        segment_size,
        depth,
        budget_seconds=reading.budget_seconds,
        on_progress=on_progress,
    )
    await reader.forget_all_but(files_of(archive))
    return segments_read(readings, depth)


def _elsewhere(reading: ReadingOptions) -> Workers | None:
    """The workers of a Dask cluster, where one is named."""
    if reading.scheduler is None:
        return None
    import sys

    from agent.dask_scan.workers import DaskWorkers

    def complain(line: str) -> None:
        print(say(line), file=sys.stderr)

    return DaskWorkers(reading.scheduler, complain, here=reading.workers)
