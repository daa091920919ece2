"""What readers bring besides the facts of `rules.model.facts`: each one reading of one kind of
source.

Listings, backups and segments arrive in this order of time, so that nothing is compared with an
observation that was made before it could know: a backup is read before the archive is listed, and
what a server says of its archiving is kept as it stood before the listing began.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from typing import Protocol

from parsers.values import dataclass
from parsers.wal.scan import Depth, SegmentScan
from rules.capacity.forecast import ReplayRate
from rules.model.facts import (
    ArchivedFile,
    ArchiveFacts,
    ArchiverFacts,
    ArchiveStatusFacts,
    BackupFacts,
    BackupsFacts,
    ChangedFile,
    SegmentCopy,
)
from rules.model.restore_inputs import RestoreInputs
from rules.model.scans import JoinedScans, JoinedStretch


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveListings:
    """Every archive as it was listed, and further places with WAL that is in none.

    Names that no segment can have are still in it: `Listings` is without them.
    """

    archives: tuple[ArchiveFacts, ...]
    elsewhere: tuple[ArchiveFacts, ...] = ()
    # Of `elsewhere`: segments that a server may still have been writing.
    written: frozenset[str] = frozenset()

    @property
    def sources(self) -> tuple[ArchiveFacts, ...]:
        return (*self.archives, *self.elsewhere)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupsRead:
    """The base backups by their own files alone; the archive may know more of them."""

    found: BackupsFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidBefore:
    """What the server said of its archiving before the listing began."""

    archiver: ArchiverFacts | None
    status: ArchiveStatusFacts | None
    # For how long before the listing a backup must be known for its last segment to be due: since
    # `status` was asked for, or where no server tells what waits, as long as a segment may take.
    arrival: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveRoom:
    """The file system of the archives; of several that which has least room."""

    free_bytes: int  # for an unprivileged user


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedRemoval:
    """Segments that somebody means to delete."""

    segments: frozenset[str]
    kept: frozenset[str]  # urls of the backups that are to stay restorable


class Scanned(Protocol):
    """One file of a segment, as it was read."""

    @property
    def read_at(self) -> datetime: ...

    @property
    def digest(self) -> bytes | None: ...  # of its content; None where it has no copies

    @property
    def sound(self) -> bool: ...  # nothing is wrong with it by itself

    @property
    def scan(self) -> SegmentScan: ...  # unpacked when it is asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentsRead:
    """A round of reading: a scan for each segment, or why it was not scanned."""

    depth: Depth
    scans: Mapping[str, Scanned]
    unread: Mapping[str, str]  # segment -> why
    unreadable: Mapping[str, str]  # the file cannot be opened or read -> why
    growing: frozenset[str]  # unread, because they may still be written to
    cold: frozenset[str]  # unreadable, because of where their store has them
    copies: Mapping[str, Sequence[tuple[ArchivedFile, Scanned]]]  # in the archive's order
    changed: Mapping[str, ChangedFile]  # by path
    joined: Mapping[str, JoinedStretch]  # whole stretches, by first segment
    make_restores: MakeRestores


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledSegments:
    """The segments that were read, each by the file that serves it."""

    scans: Mapping[str, Scanned] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    joined: Mapping[str, JoinedStretch] = field(default_factory=dict)
    serving: Mapping[str, ArchivedFile] = field(default_factory=dict)  # chosen among copies
    copies: tuple[SegmentCopy, ...] = ()

    def as_scans(self) -> JoinedScans:
        """The scans by segment, each unpacked when it is asked for."""
        return JoinedScans(self.scans.keys(), lambda name: self.scans[name].scan, self.joined)


class MakeRestores(Protocol):
    """Opens the WAL for the predictor: reading stays with whoever read the segments."""

    def __call__(
        self,
        archive: ArchiveFacts,
        settled: SettledSegments,
        backups: Sequence[BackupFacts],
        segment_size: int,
        *,
        on_this_machine: bool,
    ) -> Mapping[str, RestoreInputs]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRates:
    """The rates of restores that really ran, in the order in which they were measured."""

    rates: tuple[ReplayRate, ...]
