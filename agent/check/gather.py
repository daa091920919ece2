"""Everything that `pitr-check` reads, before anything is judged."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from agent.archive.directory import NotAnArchive, list_archive
from agent.archive.limits import NO_LIMITS, Limits
from agent.archive.pg_wal import list_pg_wal, still_written, with_partials
from agent.archive.scanner import (
    SegmentReader,
    SegmentReadings,
    files_of,
    scan_facts,
    segments_to_read,
)
from agent.archive.wal import make_restores
from agent.backups.describe import BackupDepth, NotABackup
from agent.backups.find import read_any_backup, read_backups
from agent.cli.entry import CannotCheck
from agent.ledger.store import Ledger
from parsers.wal_scan import Depth
from rules.archive import merge_archives, timeline_tree
from rules.backups import close_backups
from rules.damage import system_identifier_of
from rules.facts import ArchiveFacts, BackupFacts, BackupsFacts
from rules.report import Gathered

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How segments are to be read."""

    workers: int
    ledger: Ledger | None = None
    limits: Limits = NO_LIMITS
    budget_seconds: float | None = None


def gather(
    archives: Sequence[str],
    backups: Sequence[str],
    backups_below: str | None,
    elsewhere: Sequence[str] = (),
    *,
    depth: Depth | Literal["names"],
    backup_depth: BackupDepth,
    reading: Reading,
    on_this_machine: bool = True,
    on_progress: Progress = lambda done, total: None,
) -> Gathered:
    """Read it. Raises CannotCheck when an archive or a backup that was named cannot be read.

    `elsewhere` names WAL that is in no archive, as a dead primary's pg_wal. `on_this_machine`: the
    restore would run here.
    """
    listed = tuple(_list(url) for url in archives)
    further = tuple(_list_elsewhere(url) for url in elsewhere)
    gc.freeze()  # a million files need not be looked through again and again for cycles
    archive = merge_archives((*listed, *further)) if listed or further else None
    found = _read_backups(backups, backups_below, backup_depth)
    if found is not None and archive is not None:
        found = close_backups(found, archive.backup_labels)
    known = found.backups if found else ()
    major = next((b.major for b in known if b.major), None)
    identifier = next((b.system_identifier for b in known if b.system_identifier), None)
    gathered = Gathered(
        archives=listed,
        elsewhere=further,
        backups=found,
        system_identifier=identifier,
        server_major=major,
    )
    if archive is None or depth == "names" or archive.segment_size_bytes is None:
        return gathered
    readings = asyncio.run(_read(archive, known, depth, reading, on_progress))
    gathered = _with_readings(gathered, archive, readings, depth)
    if depth != "records":
        return gathered
    restores = make_restores(archive, readings, known, on_this_machine=on_this_machine)
    return replace(gathered, restores=restores)


def _list(url: str) -> ArchiveFacts:
    try:
        facts = list_archive(url)
    except NotAnArchive as error:
        raise CannotCheck(str(error)) from None
    if not facts.segments and not facts.histories:
        raise CannotCheck(f"{url} is empty: is this the directory that archive_command writes to?")
    return facts


def _list_elsewhere(url: str) -> ArchiveFacts:
    try:
        return with_partials(list_pg_wal(url))
    except NotAnArchive as error:
        raise CannotCheck(f"--wal {error}") from None


def _read_backups(
    backups: Sequence[str],
    backups_below: str | None,
    depth: BackupDepth,
) -> BackupsFacts | None:
    """The backups named one by one, which must be readable, and those found below a directory."""
    if not backups and backups_below is None:
        return None
    try:
        named = [read_any_backup(Path(url), depth) for url in backups]
        below = read_backups(backups_below, depth) if backups_below else None
    except NotABackup as error:
        raise CannotCheck(str(error)) from None
    found = [*named, *(below.backups if below else ())]
    found.sort(key=lambda backup: (backup.label.start_lsn, backup.url))
    unreadable = below.unreadable if below else {}
    return BackupsFacts(backups=tuple(found), unreadable=unreadable, depth=depth)


async def _read(
    archive: ArchiveFacts,
    backups: Sequence[BackupFacts],
    depth: Depth,
    reading: Reading,
    on_progress: Progress,
) -> SegmentReadings:
    """Read the segments that some restore could need."""
    assert archive.segment_size_bytes is not None
    files = segments_to_read(archive, backups)
    reader = SegmentReader(reading.workers, ledger=reading.ledger, limits=reading.limits)
    readings = await reader.read(
        archive,
        files,
        archive.segment_size_bytes,
        depth,
        budget_seconds=reading.budget_seconds,
        on_progress=on_progress,
    )
    await reader.forget_all_but(files_of(archive))
    return readings


def _with_readings(
    gathered: Gathered, archive: ArchiveFacts, readings: SegmentReadings, depth: Depth
) -> Gathered:
    """Add what the segments say; of copies, `readings` keeps those that serve."""
    backups = gathered.backups.backups if gathered.backups else ()
    size = archive.segment_size_bytes
    assert size is not None
    identifier = gathered.system_identifier
    tree = timeline_tree(archive, backups)
    written = frozenset[str]().union(*map(still_written, gathered.elsewhere))
    facts = scan_facts(readings, depth, tree, size, identifier, may_end_early=written)
    scans = readings.as_scans()
    major = gathered.server_major or next((s.major for s in scans.values() if s.major), None)
    return replace(
        gathered,
        scan=facts,
        scans=scans,
        system_identifier=identifier or system_identifier_of(scans),
        server_major=major,
    )
