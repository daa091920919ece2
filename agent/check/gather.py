"""Everything that `pitr-check` reads, before anything is judged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from agent.archive.directory import NotAnArchive, list_archive
from agent.archive.scanner import SegmentReader, scan_facts, segments_to_read
from agent.backups.find import read_backups
from agent.backups.plain import BackupDepth, NotABackup, read_backup
from agent.cli.entry import CannotCheck
from parsers.wal_scan import Depth
from rules.archive import merge_archives, timeline_tree
from rules.backups import close_backups
from rules.damage import system_identifier_of
from rules.facts import ArchiveFacts, BackupFacts, BackupsFacts, ScanFacts
from rules.report import Gathered

Progress = Callable[[int, int], None]


def gather(
    archives: Sequence[str],
    backups: Sequence[str],
    backups_below: str | None,
    *,
    depth: Depth | Literal["names"],
    backup_depth: BackupDepth,
    workers: int,
    on_progress: Progress = lambda done, total: None,
) -> Gathered:
    """Read it. Raises CannotCheck when an archive or a backup that was named cannot be read."""
    listed = tuple(_list(url) for url in archives)
    archive = merge_archives(listed) if listed else None
    found = _read_backups(backups, backups_below, backup_depth)
    if found is not None and archive is not None:
        found = close_backups(found, archive.backup_labels)
    known = found.backups if found else ()
    identifier = next((b.system_identifier for b in known if b.system_identifier), None)
    scan, major = None, next((b.major for b in known if b.major), None)
    if archive is not None and depth != "names":
        scan, read_major, read_identifier = asyncio.run(
            _scan(archive, known, depth, identifier, workers, on_progress)
        )
        major, identifier = major or read_major, identifier or read_identifier
    return Gathered(
        archives=listed,
        backups=found,
        scan=scan,
        system_identifier=identifier,
        server_major=major,
    )


def _list(url: str) -> ArchiveFacts:
    try:
        facts = list_archive(url)
    except NotAnArchive as error:
        raise CannotCheck(str(error)) from None
    if not facts.segments and not facts.histories:
        raise CannotCheck(f"{url} is empty: is this the directory that archive_command writes to?")
    return facts


def _read_backups(
    backups: Sequence[str],
    backups_below: str | None,
    depth: BackupDepth,
) -> BackupsFacts | None:
    """The backups named one by one, which must be readable, and those found below a directory."""
    if not backups and backups_below is None:
        return None
    try:
        named = [read_backup(Path(url), depth) for url in backups]
        below = read_backups(backups_below, depth) if backups_below else None
    except NotABackup as error:
        raise CannotCheck(str(error)) from None
    found = [*named, *(below.backups if below else ())]
    found.sort(key=lambda backup: (backup.label.start_lsn, backup.url))
    unreadable = below.unreadable if below else {}
    return BackupsFacts(backups=tuple(found), unreadable=unreadable, depth=depth)


async def _scan(
    archive: ArchiveFacts,
    backups: Sequence[BackupFacts],
    depth: Depth,
    identifier: int | None,
    workers: int,
    on_progress: Progress,
) -> tuple[ScanFacts | None, int | None, int | None]:
    """Read the segments; also gives the major version and the system they say they are of."""
    size = archive.segment_size_bytes
    if size is None:
        return None, None, None
    reader = SegmentReader(workers)
    files = segments_to_read(archive, backups)
    readings = await reader.read(archive, files, size, depth, on_progress=on_progress)
    tree = timeline_tree(archive, backups)
    facts = scan_facts(readings, depth, tree, size, identifier)
    scans = [scanned.scan for scanned in readings.scans.values()]
    major = next((scan.major for scan in scans if scan.major), None)
    return facts, major, system_identifier_of(scans)
