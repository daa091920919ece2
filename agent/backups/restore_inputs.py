"""WAL for the predictor: the segments already read, and those that it asks for besides."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, lru_cache, partial
from typing import Final

from agent.archive.readings import SegmentReadings, read_segment, unread_scan
from agent.archive.stored import read_stored
from agent.archive.unreadable import Unreadable, read_guarded
from agent.backups.tablespaces import find_location
from agent.engine import scan_segment
from parsers.segment import parse_segment_name
from parsers.sentences import message_of
from parsers.wal.record import RecordPlace
from parsers.wal.resume import begin_at
from parsers.wal.scan import Depth, SegmentScan
from rules.backup.configuration import server_for
from rules.case.observations import SegmentsRead, SettledSegments
from rules.model.facts import ArchivedFile, ArchiveFacts, BackupFacts
from rules.model.restore_inputs import RestoreInputs, Server, Wal, newest_by_timeline

log: Final = logging.getLogger("pitr.archive")

_REMEMBERED: Final = 256  # scans of segments that only the predictor asked for: replay goes forward


def make_wal(
    archive: ArchiveFacts,
    settled: SettledSegments,
    backup: BackupFacts,
    segment_size: int,
    newest: Mapping[int, str],
) -> Wal:
    """The WAL that a restore of `backup` finds: the archive's, and what the backup carries.

    `newest` is the archive's newest segment by timeline, found once for all backups.
    """
    files = _Files(archive, settled, backup.wal_files, segment_size)
    return Wal(
        segment_size=segment_size,
        names=archive.segments.keys(),
        archived=lru_cache(_REMEMBERED)(files.archived),
        carried=cache(files.carried),
        partials=archive.partials.keys(),
        partial=lru_cache(_REMEMBERED)(files.partial),
        stretch=settled.joined.get,
        find_record=files.find_record,
        scan_from=files.scan_from,
        newest=newest,
        system_identifier=backup.system_identifier,
    )


class _Files:
    """The look-ups of one restore's WAL, each by a segment's name."""

    def __init__(
        self,
        archive: ArchiveFacts,
        settled: SettledSegments,
        own: Mapping[str, ArchivedFile],
        segment_size: int,
    ) -> None:
        self._archived, self._own = archive.segments, own
        self._partials = archive.partials
        self._settled = settled
        # In this order: of copies the one that serves. One table for all backups, not one each.
        self._places = (settled.serving, archive.segments, own)
        self._segment_size = segment_size
        self._content = lru_cache(maxsize=2)(self._read_content)

    def archived(self, name: str) -> SegmentScan | None:
        """As it was read, or else read now."""
        file = self._archived.get(name)
        if file is None:
            return None
        known = self._settled.scans.get(name)
        if known is not None:
            return known.scan
        why = self._settled.unread.get(name) or self._settled.unreadable.get(name)
        if why is not None:
            return unread_scan(file, name, self._segment_size, why)
        return self._scan(file, name)

    def carried(self, name: str) -> SegmentScan | None:
        """From the backup's own pg_wal."""
        return self._scan(self._own[name], name) if name in self._own else None

    def partial(self, name: str) -> SegmentScan | None:
        """Of the file that a server left unfinished."""
        return self._scan(self._partials[name], name) if name in self._partials else None

    def find_record(self, name: str, lsn: int, begin_lsn: int | None) -> RecordPlace | None:
        """The first record at or after an LSN; None also where it cannot be read."""
        try:
            return read_guarded(partial(self._find_record, name, lsn, begin_lsn))
        except (FileNotFoundError, Unreadable) as error:
            log.debug("%s is unreadable", name, exc_info=error)
            return None

    def scan_from(self, name: str, lsn: int | None, timeline: int | None) -> SegmentScan | None:
        """As `Wal` has it; None also where it cannot be read."""
        try:
            return read_guarded(partial(self._scan_from, name, lsn, timeline))
        except (FileNotFoundError, Unreadable) as error:
            log.debug("%s is unreadable", name, exc_info=error)
            return None

    def _find_record(self, name: str, lsn: int, begin_lsn: int | None) -> RecordPlace | None:
        from parsers.wal.locate import find_record  # and numpy

        _, number = parse_segment_name(name, self._segment_size)
        data = self._content(name)
        if begin_lsn is not None:
            data = begin_at(data, begin_lsn)
        return find_record(data, lsn, segment_number=number)

    def _scan_from(self, name: str, lsn: int | None, timeline: int | None) -> SegmentScan:
        size = self._segment_size
        named, number = parse_segment_name(name, size)
        data = self._content(name) if lsn is None else begin_at(self._content(name), lsn)
        return scan_segment(
            data, name_timeline=timeline or named, segment_number=number, segment_size=size
        )

    def _scan(self, file: ArchivedFile, name: str) -> SegmentScan | None:
        size = self._segment_size
        try:
            return read_segment(file, name, size, "records").scan
        except FileNotFoundError:
            return None
        except Unreadable as error:
            log.debug("%s is unreadable", file.path, exc_info=error)
            return unread_scan(file, name, size, message_of(error))

    def _read_content(self, name: str) -> bytes:
        file = next(files[name] for files in self._places if name in files)
        return read_stored(file.directory, file.name, self._segment_size).data


def segments_read(readings: SegmentReadings, depth: Depth) -> SegmentsRead:
    """A round of reading as an observation."""
    return SegmentsRead(
        depth=depth,
        scans=readings.scans,
        unread=readings.unread,
        unreadable=readings.unreadable,
        growing=frozenset(readings.growing),
        cold=frozenset(readings.cold),
        copies=readings.copies,
        changed=readings.changed,
        joined=readings.joined,
        make_restores=make_restores,
    )


def make_restores(
    archive: ArchiveFacts,
    settled: SettledSegments,
    backups: Sequence[BackupFacts],
    segment_size: int,
    *,
    on_this_machine: bool,
) -> dict[str, RestoreInputs]:
    """What a restore of each backup would have, by the backup's url.

    None of a backup where neither it nor the WAL says what wrote it. The server is taken to be of
    the major that wrote the backup, configured as the backup is, but for settings that must be
    raised: `Outcome.needs` names them. Where it is to run on this machine, the locations of
    tablespaces are looked at.
    """
    majors = (scanned.scan.major for scanned in settled.scans.values())
    of_wal = next((major for major in majors if major), None)
    newest = newest_by_timeline(archive.segments, segment_size)
    return {
        backup.url: RestoreInputs(
            server=_server(backup, major, on_this_machine),
            backup=backup,
            control=backup.control,
            histories=archive.histories,
            broken_histories=archive.broken_histories,
            wal=make_wal(archive, settled, backup, segment_size, newest),
        )
        for backup in backups
        if (major := backup.major or of_wal) is not None
    }


def _server(backup: BackupFacts, major: int, on_this_machine: bool) -> Server:
    server = server_for(backup, major)
    if not on_this_machine:
        return server
    return replace(server, locate=partial(find_location, major=major))
