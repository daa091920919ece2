"""What a restore is made of: a backup, the server it would run on, the histories, the WAL.

These are the inputs of `rules.recovery`. Nothing here reads: WAL comes through look-ups that the
caller gives, so that only the segments on the way are ever read.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from parsers.pg_control import ControlFile
from parsers.segment import segment_name
from parsers.timeline_history import TimelineHistory
from parsers.wal_locate import RecordPlace
from parsers.wal_scan import SegmentScan
from rules.facts import BackupFacts, BrokenHistory
from rules.scans import Joined

# The settings that a hot standby must not have lower than the server that wrote the WAL.
PARAMETERS = (
    "max_connections",
    "max_worker_processes",
    "max_wal_senders",
    "max_prepared_transactions",
    "max_locks_per_transaction",
)


class Location(enum.Enum):
    """What lies at a tablespace's location on the machine of the restore."""

    ABSENT = "absent"
    NOT_A_DIRECTORY = "not a directory"
    OF_ROOT = "of root"  # under whose account no server runs
    IN_USE = "in use"  # a server of this major has files in it
    USABLE = "usable"


FindLocation = Callable[[str], Location | None]


def _on_another_machine(_: str) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The server that would restore."""

    major: int
    hot_standby: bool = True  # the default since 10
    parameters: Mapping[str, int] = field(default_factory=dict)  # of PARAMETERS, those known
    adjustable: bool = False  # PARAMETERS that are too low will be raised: `Outcome.needs` says so
    locate: FindLocation = _on_another_machine  # None: it cannot be told what lies there


ReadSegment = Callable[[str], SegmentScan | None]
FindRecord = Callable[[str, int, int | None], RecordPlace | None]
ScanFrom = Callable[[str, int], SegmentScan | None]


FindJoined = Callable[[str], Joined | None]


def _no_stretch(_: str) -> None:
    return None


def _no_segment(_: str) -> None:
    return None


def _no_scan(_: str, __: int) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wal:
    """Where recovery finds WAL: for each timeline first the archive, then the server's own pg_wal.

    The look-ups give the scan of a segment, or None when there is no file of that name; they are
    called in the order of replay, at most a few times for the same name.
    """

    segment_size: int  # bytes
    names: Collection[str]  # all segments there are, to tell whether any lies behind an obstacle
    archived: ReadSegment
    # (segment, lsn, begin) -> the first record, whole in the segment, that starts at or behind lsn;
    # walking begins at the record at `begin`, None: where the segment's first record starts
    find_record: FindRecord
    carried: ReadSegment = _no_segment  # in the pg_wal that the backup brings
    # (segment, lsn) -> the scan of what starts at lsn, whatever comes before: parsers.wal_resume
    scan_from: ScanFrom = _no_scan
    joined: FindJoined = _no_stretch  # the stretch of whole segments that begins with one
    # timeline -> its newest of `names`; a caller with many names and backups finds it once
    newest: Mapping[int, str] | None = None

    def name(self, timeline: int, number: int) -> str:
        return segment_name(timeline, number, self.segment_size)

    def newest_names(self) -> Mapping[int, str]:
        return self.newest or newest_by_timeline(self.names, self.segment_size)


def newest_by_timeline(names: Iterable[str], segment_size: int) -> dict[int, str]:
    """The newest segment of each timeline; names that no segment of this size has do not count.

    >>> newest_by_timeline(["000000010000000000000003", "0000000100000000FFFFFFFF"], 1 << 24)
    {1: '000000010000000000000003'}
    """
    beyond = f"{0x1_0000_0000 // segment_size:08X}"
    newest: dict[str, str] = {}
    for name in names:
        timeline = name[:8]
        if name > newest.get(timeline, "") and name[16:] < beyond:
            newest[timeline] = name
    return {int(timeline, 16): name for timeline, name in newest.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """Everything that recovery would have, but its target."""

    server: Server
    backup: BackupFacts
    control: ControlFile | None  # None: the backup's pg_control was not read
    histories: Mapping[int, TimelineHistory]
    # Timelines whose history file is there and cannot be used.
    broken_histories: Mapping[int, BrokenHistory] = field(default_factory=dict)
    wal: Wal


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoresFacts:
    """The restores that could be made of what was read last: what the predictor can be asked."""

    listed_at: datetime  # the listing of the archive that they rest on
    by_backup: Mapping[str, Restore]  # by the backup's url


def without_segments(restore: Restore, names: Collection[str]) -> Restore:
    """The same restore where these segments are in no archive."""
    wal = restore.wal
    read = wal.archived
    left = replace(
        wal,
        names=[name for name in wal.names if name not in names],
        newest=None,
        archived=lambda name: None if name in names else read(name),
    )
    return replace(restore, wal=left)
