"""WAL for the predictor: the segments already read, and those that it asks for besides."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from agent.archive.scanner import SegmentReadings, read_segment
from parsers.errors import ParseError
from parsers.segment import parse_segment_name
from parsers.wal_damage import Damage, DamageKind
from parsers.wal_facts import Facts
from parsers.wal_locate import RecordPlace, find_record
from parsers.wal_scan import EndKind, SegmentEnd, SegmentScan
from rules.facts import ArchivedFile, ArchiveFacts, BackupFacts
from rules.restore import Wal


def make_wal(
    archive: ArchiveFacts, readings: SegmentReadings, backup: BackupFacts, segment_size: int
) -> Wal:
    """The WAL that a restore of `backup` finds: the archive's, and what the backup carries."""
    own = {name: str(Path(backup.url) / "pg_wal" / name) for name in backup.wal}
    paths = own | {name: file.path for name, file in archive.segments.items()}

    @cache
    def archived(name: str) -> SegmentScan | None:
        file = archive.segments.get(name)
        if file is None:
            return None
        known = readings.scans.get(name)
        if known is not None:
            return known.scan
        why = readings.unread.get(name) or readings.unreadable.get(name)
        if why is not None or name in archive.compressed:
            return _unread(file, name, segment_size, why or "stored compressed")
        return _read(file.path, name, segment_size)

    @cache
    def carried(name: str) -> SegmentScan | None:
        return _read(own[name], name, segment_size) if name in own else None

    def locate(name: str, lsn: int) -> RecordPlace | None:
        timeline, number = parse_segment_name(name, segment_size)
        try:
            data = Path(paths[name]).read_bytes()
            return find_record(data, lsn, name_timeline=timeline, segment_number=number)
        except (OSError, ParseError):
            return None

    return Wal(
        segment_size=segment_size,
        names=archive.segments.keys(),
        archived=archived,
        carried=carried,
        find_record=locate,
    )


def _read(path: str, name: str, segment_size: int) -> SegmentScan | None:
    try:
        return read_segment(path, name, segment_size, "records").scan
    except FileNotFoundError:
        return None
    except OSError as error:
        file = ArchivedFile(path, segment_size, 0, 0)
        return _unread(file, name, segment_size, f"cannot be read: {error.strerror}")


def _unread(file: ArchivedFile, name: str, segment_size: int, why: str) -> SegmentScan:
    """A scan that says that nobody looked: what lies there is unknown, not absent."""
    start_lsn = parse_segment_name(name, segment_size)[1] * segment_size
    return SegmentScan(
        depth="records",
        start_lsn=start_lsn,
        size_bytes=file.size_bytes,
        header=None,
        head=None,
        facts=Facts(),
        tail=None,
        end=SegmentEnd(kind=EndKind.UNREAD, lsn=start_lsn),
        damage=Damage(kind=DamageKind.UNREADABLE, lsn=start_lsn, detail=why),
    )


def scans_of(readings: SegmentReadings) -> Mapping[str, SegmentScan]:
    return {name: scanned.scan for name, scanned in readings.scans.items()}
