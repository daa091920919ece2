"""WAL for the predictor: the segments already read, and those that it asks for besides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, lru_cache, partial
from typing import Final

from agent.archive.readings import SegmentReadings, read_segment, unread_scan
from agent.archive.stored import read_stored
from agent.backups.tablespaces import find_location
from parsers.errors import ParseError
from parsers.segment import parse_segment_name
from parsers.wal_locate import RecordPlace, find_record
from parsers.wal_resume import begin_at
from parsers.wal_scan import SegmentScan, scan_segment
from rules.configuration import server_for
from rules.facts import ArchivedFile, ArchiveFacts, BackupFacts
from rules.restore import Restore, Server, Wal, newest_by_timeline

_REMEMBERED: Final = 256  # scans of segments that only the predictor asked for: replay goes forward


def make_wal(
    archive: ArchiveFacts,
    readings: SegmentReadings,
    backup: BackupFacts,
    segment_size: int,
    newest: Mapping[int, str],
) -> Wal:
    """The WAL that a restore of `backup` finds: the archive's, and what the backup carries.

    `newest` is the archive's newest segment by timeline, found once for all backups.
    """
    own = backup.wal_files
    files = {**own, **archive.segments, **readings.serving}

    @lru_cache(_REMEMBERED)
    def archived(name: str) -> SegmentScan | None:
        file = archive.segments.get(name)
        if file is None:
            return None
        known = readings.scans.get(name)
        if known is not None:
            return known.scan
        why = readings.unread.get(name) or readings.unreadable.get(name)
        if why is not None:
            return unread_scan(file, name, segment_size, why)
        return _read(file, name, segment_size)

    @cache
    def carried(name: str) -> SegmentScan | None:
        return _read(own[name], name, segment_size) if name in own else None

    @lru_cache(maxsize=2)
    def content(name: str) -> bytes:
        file = files[name]
        return read_stored(file.directory, file.name, segment_size).data

    def locate(name: str, lsn: int, begin_lsn: int | None) -> RecordPlace | None:
        timeline, number = parse_segment_name(name, segment_size)
        try:
            data = content(name)
            if begin_lsn is not None:
                data = begin_at(data, begin_lsn)
            return find_record(data, lsn, name_timeline=timeline, segment_number=number)
        except (OSError, ParseError):
            return None

    def scan_from(name: str, lsn: int) -> SegmentScan | None:
        timeline, number = parse_segment_name(name, segment_size)
        try:
            data = begin_at(content(name), lsn)
        except (OSError, ParseError):
            return None
        return scan_segment(
            data, name_timeline=timeline, segment_number=number, segment_size=segment_size
        )

    return Wal(
        segment_size=segment_size,
        names=archive.segments.keys(),
        archived=archived,
        carried=carried,
        find_record=locate,
        scan_from=scan_from,
        newest=newest,
    )


def _read(file: ArchivedFile, name: str, segment_size: int) -> SegmentScan | None:
    try:
        return read_segment(file, name, segment_size, "records").scan
    except FileNotFoundError:
        return None
    except OSError as error:
        return unread_scan(file, name, segment_size, f"cannot be read: {error.strerror}")


def make_restores(
    archive: ArchiveFacts,
    readings: SegmentReadings,
    backups: Sequence[BackupFacts],
    *,
    on_this_machine: bool,
) -> dict[str, Restore]:
    """What a restore of each backup would have, by the backup's url; none where nothing was read.

    The server is taken to be of the major that wrote the backup, configured as the backup is, but
    for settings that must be raised: `Outcome.needs` names them. Where it is to run on this
    machine, the locations of tablespaces are looked at.
    """
    size = archive.segment_size_bytes
    majors = (scanned.scan.major for scanned in readings.scans.values())
    major = next((major for major in majors if major), None)
    if size is None or major is None:
        return {}
    newest = newest_by_timeline(archive.segments, size)
    return {
        backup.url: Restore(
            server=_server(backup, backup.major or major, on_this_machine),
            backup=backup,
            control=backup.control,
            histories=archive.histories,
            broken_histories=archive.broken_histories,
            wal=make_wal(archive, readings, backup, size, newest),
        )
        for backup in backups
    }


def _server(backup: BackupFacts, major: int, on_this_machine: bool) -> Server:
    server = server_for(backup, major)
    if not on_this_machine:
        return server
    return replace(server, locate=partial(find_location, major=major))
