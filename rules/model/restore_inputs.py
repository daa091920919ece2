"""What a restore is made of: a backup, the server it would run on, the histories, the WAL.

These are the inputs of `rules.recovery.predictor`. Nothing here reads: WAL comes through look-ups
that the caller gives, so that only the segments on the way are ever read.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import field, replace
from datetime import datetime
from typing import Final

from parsers.files.pg_control import ControlFile
from parsers.files.timeline_history import TimelineHistory
from parsers.segment import segment_name
from parsers.sentences import tr
from parsers.values import dataclass
from parsers.wal.record import RecordPlace
from parsers.wal.scan import SegmentScan
from rules.model.facts import BackupFacts, BrokenHistory
from rules.model.scans import JoinedStretch
from rules.model.segment_names import SegmentNames

# The settings that a hot standby must not have lower than the server that wrote the WAL.
PARAMETERS = (
    "max_connections",
    "max_worker_processes",
    "max_wal_senders",
    "max_prepared_transactions",
    "max_locks_per_transaction",
)
# Their defaults: src/backend/utils/misc/guc_parameters.dat, guc_tables.c up to 18.
_DEFAULTS: Final = dict(zip(PARAMETERS, (100, 8, 10, 0, 64), strict=True))
# Since which major they are so.
DEFAULTS_BY_MAJOR: Final = {13: _DEFAULTS, 19: {**_DEFAULTS, "max_locks_per_transaction": 128}}


def parameter_defaults(major: int) -> Mapping[str, int]:
    """What a server of this major has where PARAMETERS are not set."""
    return DEFAULTS_BY_MAJOR[max(since for since in DEFAULTS_BY_MAJOR if since <= max(major, 13))]


class Location(enum.Enum):
    """What lies at a tablespace's location on the target machine."""

    ABSENT = "absent"
    NOT_A_DIRECTORY = "not a directory"
    OF_ROOT = "of root"  # under whose account no server runs
    IN_USE = "in use"  # a server of this major has files in it
    USABLE = "usable"

    @property
    def word(self) -> str:
        """For a person."""
        return _LOCATIONS[self]


_LOCATIONS: Final = {
    Location.ABSENT: tr("absent"),
    Location.NOT_A_DIRECTORY: tr("not a directory"),
    Location.OF_ROOT: tr("of root"),
    Location.IN_USE: tr("in use"),
    Location.USABLE: tr("usable"),
}


FindLocation = Callable[[str], Location | None]


def _nothing(*_: object) -> None:
    """Of whatever is looked up, on a machine or in a place where it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The server that would restore."""

    major: int
    hot_standby: bool = True  # the default since 10
    signalled: bool = True  # recovery.signal or standby.signal is there
    raises_hot_standby: bool = False  # it is off in the backup, and on by the block to paste
    parameters: Mapping[str, int] = field(default_factory=dict)  # of PARAMETERS, those known
    adjustable: bool = False  # PARAMETERS that are too low will be raised: `Outcome.needs` says so
    locate: FindLocation = _nothing  # None: it cannot be told what lies there


ReadSegment = Callable[[str], SegmentScan | None]
FindRecord = Callable[[str, int, int | None], RecordPlace | None]
ScanFrom = Callable[[str, int | None, int | None], SegmentScan | None]


FindStretch = Callable[[str], JoinedStretch | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wal:
    """Where recovery finds WAL: for each timeline first the archive, then the server's own pg_wal.

    The look-ups give the scan of a segment, or None when there is no file of that name; they are
    called in the order of replay, at most a few times for the same name.
    """

    segment_size: int  # bytes
    names: Collection[str]  # all segments there are, to see if any lies beyond an obstacle
    archived: ReadSegment
    # (segment, lsn, begin) -> the first record, whole in the segment, that starts at or after lsn;
    # walking begins at the record at `begin`, None: where the segment's first record starts
    find_record: FindRecord
    carried: ReadSegment = _nothing  # in the pg_wal that the backup brings
    # (segment, lsn, timeline) -> the scan of what starts at lsn, whatever comes before (None: of
    # all of it), with pages up to that timeline (None: the name's): parsers.wal.resume
    scan_from: ScanFrom = _nothing
    partials: Collection[str] = ()  # segments of which there is a .partial: no recovery reads it
    partial: ReadSegment = _nothing
    stretch: FindStretch = _nothing  # of whole archived segments, by the first of them
    # timeline -> its newest of `names`; a caller with many names and backups finds it once
    newest: Mapping[int, str] | None = None
    system_identifier: int | None = None  # of the restored server's pg_control; None: not known

    def name(self, timeline: int, number: int) -> str:
        return segment_name(timeline, number, self.segment_size)

    def newest_names(self) -> Mapping[int, str]:
        return self.newest or newest_by_timeline(self.names, self.segment_size)


def newest_by_timeline(names: Iterable[str], segment_size: int) -> dict[int, str]:
    """The newest segment of each timeline; names that no segment of this size has do not count.

    >>> newest_by_timeline(["000000010000000000000003", "0000000100000000FFFFFFFF"], 1 << 24)
    {1: '000000010000000000000003'}
    """
    runs = SegmentNames.of(names).runs(segment_size)
    return {
        timeline: segment_name(timeline, own[-1][-1], segment_size)
        for timeline, own in runs.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreInputs:
    """Everything that recovery would have, but its target."""

    server: Server
    backup: BackupFacts
    control: ControlFile | None  # None: the backup's pg_control was not read
    histories: Mapping[int, TimelineHistory]
    # Timelines whose history file is there and cannot be used.
    broken_histories: Mapping[int, BrokenHistory] = field(default_factory=dict)
    wal: Wal


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreInputsFacts:
    """The restores that could be made of what was read last: what the predictor can be asked."""

    listed_at: datetime  # the listing of the archive that they rest on
    by_backup: Mapping[str, RestoreInputs]  # by the backup's url


def without_segments(restore: RestoreInputs, names: Collection[str]) -> RestoreInputs:
    """The same restore where these segments are in no archive."""
    wal = restore.wal
    read, find_stretch = wal.archived, wal.stretch

    def still_whole(name: str) -> JoinedStretch | None:
        stretch = find_stretch(name)
        whole = stretch is not None and not any(each in names for each in stretch.names)
        return stretch if whole else None

    left = replace(
        wal,
        names=[name for name in wal.names if name not in names],
        newest=None,
        archived=lambda name: None if name in names else read(name),
        stretch=still_whole,
    )
    return replace(restore, wal=left)
