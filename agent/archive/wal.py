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
from rules.archive import segment_size_of
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
    files = _Files(archive, readings, backup.wal_files, segment_size)
    return Wal(
        segment_size=segment_size,
        names=archive.segments.keys(),
        archived=lru_cache(_REMEMBERED)(files.archived),
        carried=cache(files.carried),
        joined=readings.joined.get,
        find_record=files.find_record,
        scan_from=files.scan_from,
        newest=newest,
    )


class _Files:
    """The look-ups of one restore's WAL, each by a segment's name."""

    def __init__(
        self,
        archive: ArchiveFacts,
        readings: SegmentReadings,
        own: Mapping[str, ArchivedFile],
        segment_size: int,
    ) -> None:
        self._archived, self._own = archive.segments, own
        self._readings = readings
        # In this order: of copies the one that serves. One table for all backups, not one each.
        self._places = (readings.serving, archive.segments, own)
        self._segment_size = segment_size
        self._content = lru_cache(maxsize=2)(self._read_content)

    def archived(self, name: str) -> SegmentScan | None:
        """As it was read, or else read now."""
        file = self._archived.get(name)
        if file is None:
            return None
        readings = self._readings
        known = readings.scans.get(name)
        if known is not None:
            return known.scan
        why = readings.unread.get(name) or readings.unreadable.get(name)
        if why is not None:
            return unread_scan(file, name, self._segment_size, why)
        return self._scan(file, name)

    def carried(self, name: str) -> SegmentScan | None:
        """From the backup's own pg_wal."""
        return self._scan(self._own[name], name) if name in self._own else None

    def find_record(self, name: str, lsn: int, begin_lsn: int | None) -> RecordPlace | None:
        """The first record at or behind an LSN; None also where the file is gone."""
        timeline, number = parse_segment_name(name, self._segment_size)
        try:
            data = self._content(name)
            if begin_lsn is not None:
                data = begin_at(data, begin_lsn)
            return find_record(data, lsn, name_timeline=timeline, segment_number=number)
        except (OSError, ParseError):
            return None

    def scan_from(self, name: str, lsn: int) -> SegmentScan | None:
        """What starts at an LSN, whatever comes before."""
        size = self._segment_size
        timeline, number = parse_segment_name(name, size)
        try:
            data = begin_at(self._content(name), lsn)
        except (OSError, ParseError):
            return None
        return scan_segment(data, name_timeline=timeline, segment_number=number, segment_size=size)

    def _scan(self, file: ArchivedFile, name: str) -> SegmentScan | None:
        size = self._segment_size
        try:
            return read_segment(file, name, size, "records").scan
        except FileNotFoundError:
            return None
        except OSError as error:
            return unread_scan(file, name, size, f"cannot be read: {error.strerror}")

    def _read_content(self, name: str) -> bytes:
        file = next(files[name] for files in self._places if name in files)
        return read_stored(file.directory, file.name, self._segment_size).data


def make_restores(
    archive: ArchiveFacts,
    readings: SegmentReadings,
    backups: Sequence[BackupFacts],
    *,
    on_this_machine: bool,
) -> dict[str, Restore]:
    """What a restore of each backup would have, by the backup's url.

    None of a backup where neither it nor the WAL says what wrote it. The server is taken to be of
    the major that wrote the backup, configured as the backup is, but for settings that must be
    raised: `Outcome.needs` names them. Where it is to run on this machine, the locations of
    tablespaces are looked at.
    """
    size = segment_size_of(archive, backups)
    majors = (scanned.scan.major for scanned in readings.scans.values())
    of_wal = next((major for major in majors if major), None)
    if size is None:
        return {}
    newest = newest_by_timeline(archive.segments, size)
    return {
        backup.url: Restore(
            server=_server(backup, major, on_this_machine),
            backup=backup,
            control=backup.control,
            histories=archive.histories,
            broken_histories=archive.broken_histories,
            wal=make_wal(archive, readings, backup, size, newest),
        )
        for backup in backups
        if (major := backup.major or of_wal) is not None
    }


def _server(backup: BackupFacts, major: int, on_this_machine: bool) -> Server:
    server = server_for(backup, major)
    if not on_this_machine:
        return server
    return replace(server, locate=partial(find_location, major=major))
