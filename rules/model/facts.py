"""Facts: one reading of one source at one instant, as values that the checks take.

Field names are the column names of the view or function that they come from, with the unit or
`_at` added. What a source did not give is not a zero: the whole value is then absent.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import field
from datetime import datetime
from typing import NamedTuple

from parsers.files.backup_label import BackupLabel
from parsers.files.pg_control import ControlFile
from parsers.files.timeline_history import TimelineHistory
from parsers.values import dataclass
from parsers.wal.damage import UNDECODABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Objectives:
    """What the owner of a cluster wants of its recovery. Thresholds come from here."""

    rpo_seconds: float  # how much may be lost: bounds the age of what waits to be archived
    rto_seconds: float | None = None  # how long a restore may take; None: not stated
    window_seconds: float | None = None  # how far back one must be able to go; None: not stated
    backup_age_seconds: float | None = None  # how old the newest backup may be; None: not stated
    drill_age_seconds: float | None = None  # how long ago the last good drill may be; None: ditto
    copies: int | None = None  # archives that must each be whole; None: not stated


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiverFacts:
    """The one row of pg_stat_archiver."""

    archived_count: int
    last_archived_wal: str | None  # a segment, a .history, a .backup or a .partial
    last_archived_at: datetime | None  # None: never since stats_reset
    failed_count: int  # attempts; an archive_command that exits above 125 is not counted
    last_failed_wal: str | None
    last_failed_at: datetime | None
    stats_reset_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WalDirectoryFacts:
    """pg_ls_waldir(), summed."""

    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WalVolumeFacts:
    """The file system that pg_wal lies on, seen from the agent's own host."""

    directory: str | None  # None: the role may not see data_directory
    size_bytes: int | None  # None, as free_bytes: the volume cannot be seen from here
    free_bytes: int | None  # for an unprivileged user, as the server is


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One row of pg_replication_slots."""

    name: str
    active: bool
    restart_lsn: int | None  # the oldest WAL that it needs; None: it reserved none, or lost it
    wal_status: str | None  # reserved, extended, unreserved, lost
    inactive_since: datetime | None  # None while it is active, and before 17


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotsFacts:
    """pg_replication_slots."""

    slots: tuple[Slot, ...]
    read_at: datetime  # the server's clock


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningBackup:
    """One row of pg_stat_progress_basebackup."""

    pid: int
    phase: str
    total_bytes: int | None  # an estimate; None: not made yet, or not wanted
    streamed_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningBackupsFacts:
    """pg_stat_progress_basebackup."""

    backups: tuple[RunningBackup, ...]
    read_at: datetime  # the server's clock


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveStatusFacts:
    """pg_ls_archive_statusdir(): what waits for the archiver, and what it says it has done."""

    ready: frozenset[str]  # names without .ready; segments, histories and backup files alike
    done: frozenset[str]
    listed_at: datetime  # the server's clock: what the ages of its files are counted by
    oldest_ready_at: datetime | None  # None: nothing waits
    oldest_ready: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlFacts:
    """The pg_control_*() functions. They read the file: everything is as of its last write."""

    system_identifier: int  # unsigned, unlike the function's int8
    segment_size_bytes: int
    timeline: int  # of the last checkpoint: stale just after a promotion
    data_checksums: bool | None  # None: being switched, from 19 on


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One row of pg_settings."""

    name: str
    setting: str
    read_from: str = "pg_settings"  # or the file and line


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFacts:
    """The settings of recovery, archiving and WAL, in the units of pg_settings.

    From a server they are complete. From configuration files only those are known that are written
    there: a server may be given others on its command line.
    """

    settings: Mapping[str, Setting]
    of_backup: str | None = None  # whose files they come from; None: a server gave them

    def value(self, name: str) -> str | None:
        """A setting's value, None when this major does not have it."""
        setting = self.settings.get(name)
        return setting.setting if setting else None

    @property
    def has_main(self) -> bool:
        """Whether they are those of a postgresql.conf: Debian's lies outside of the backup."""
        return any("/postgresql.conf:" in each.read_from for each in self.settings.values())

    def read_from(self, name: str) -> str:
        """Where a setting was read; empty for one that was not."""
        setting = self.settings.get(name)
        return setting.read_from if setting else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionFacts:
    """Where the server writes, or replays, its WAL."""

    server_version_num: int
    server_at: datetime  # the server's clock at the reading
    in_recovery: bool
    timeline: int | None  # of the insert position; None in recovery
    insert_lsn: int | None  # None in recovery
    snapshot: str | None  # pg_current_snapshot(), xmin:xmax:xips; None in recovery
    replay_lsn: int | None  # None if this start did no recovery
    last_replay_at: datetime | None  # commit time of the last transaction replayed
    replay_paused: bool | None  # None when not in recovery
    started_at: datetime | None = None  # when this server was started

    @property
    def major(self) -> int:
        return self.server_version_num // 10000


class ArchivedFile(NamedTuple):
    """One file of an archive. A large archive has a million of them, which share `directory`."""

    directory: str  # or the tar that it is a member of; or an address, as s3://bucket/prefix
    name: str  # in that directory: with the codec's suffix; a member's path
    size_bytes: int  # as stored: compressed, if it is
    mtime_ns: int
    ctime_ns: int  # of an object in a store: no earlier than it; both times end in its version

    @property
    def path(self) -> str:
        return f"{self.directory}/{self.name}"


class BrokenHistory(NamedTuple):
    """A timeline history file that is there and cannot be used."""

    reason: str
    fatal: str | None  # the server's words; None: it is not the file's content that is wrong
    unread: bool = False  # it could not be read


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveFacts:
    """What one listing of one archive found."""

    url: str
    layout: str
    listed_at: datetime  # when the listing began: what came later may be missing from it
    segment_size_bytes: int | None  # from the files themselves; None: no segment told it
    # 24 digits -> file; compressed ones too. Of a listing of names a file is looked up when asked.
    segments: Mapping[str, ArchivedFile]
    partials: Mapping[str, ArchivedFile]  # 24 digits -> its .partial
    compressed: Set[str]  # segments stored in a codec's format
    histories: Mapping[int, TimelineHistory]
    broken_histories: Mapping[int, BrokenHistory]  # by timeline
    backup_labels: Mapping[str, BackupLabel]  # plain name of the .backup -> its content
    copies: Mapping[str, tuple[ArchivedFile, ...]]  # further files of the same segment
    other_count: int  # files that PostgreSQL would not have archived under their name
    disputed_histories: frozenset[int] = frozenset()  # of which several archives hold another
    recycled: tuple[str, ...] = ()  # of a pg_wal: names of segments that hold others, or nothing
    no_files: Mapping[str, str] = field(default_factory=dict)  # segments, and what is there instead
    lookalikes: Mapping[str, str] = field(default_factory=dict)  # segment -> a file named like it
    # By url, how many segments it held before it was empty, and stayed so.
    emptied: Mapping[str, int] = field(default_factory=dict)
    # Set aside by rules.archive.segment_names: in none of the above.
    impossible: tuple[str, ...] = ()  # names that no segment of this size has
    strays: Mapping[str, str] = field(default_factory=dict)  # what is no file, away from the files


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedSegment:
    """A segment that is not what its name promises. `kind` is one of the contract's words."""

    segment: str
    kind: str
    lsn: int | None
    detail: str

    @property
    def is_undecodable(self) -> bool:
        """Whether what fetches it fails, so that the server is told that it is not there."""
        return self.detail.startswith(UNDECODABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentCopy:
    """A further file of a segment, held against the one that serves it."""

    segment: str
    url: str
    differs: bool  # in content, decompressed
    kind: str | None  # what is wrong with it, in the contract's words; None: nothing is


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedFile:
    """A file that holds something else than when it was read before, and was sound."""

    segment: str
    url: str
    verified_at: datetime  # when what it held before was read last, or stored
    by_name: bool = False  # its name has the checksum of what it held


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanFacts:
    """What reading the archived segments said, and how far the reading got."""

    depth: str  # headers or records
    read: frozenset[str]  # segments read to this depth
    unread: Mapping[str, str]  # segment -> why it was not read
    damaged: tuple[DamagedSegment, ...]
    oldest_read_at: datetime | None  # when the oldest of these readings was taken
    copies: tuple[SegmentCopy, ...] = ()
    changed: tuple[ChangedFile, ...] = ()  # against what a ledger remembers of them
    read_at: Mapping[str, datetime] = field(default_factory=dict)  # segment -> when
    growing: frozenset[str] = frozenset()  # unread, because they may still be written to
    cold: frozenset[str] = frozenset()  # unread: in a storage class that gives nothing at once

    @property
    def arriving(self) -> frozenset[str]:
        """Those of `growing` that are the newest of their timeline."""
        if not self.growing:
            return frozenset()
        newest: dict[str, str] = {}
        for name in (*self.read, *self.unread):
            newest[name[:8]] = max(name, newest.get(name[:8], ""))
        return self.growing & frozenset(newest.values())


class WalNeed(NamedTuple):
    """WAL of one timeline that a backup needs to become consistent."""

    timeline: int
    start_lsn: int
    end_lsn: int  # the first byte that is not needed


class BackupTablespace(NamedTuple):
    """One tablespace of a backup, by pg_tblspc and tablespace_map."""

    oid: int
    location: str | None  # None: a directory in pg_tblspc itself
    mapped: bool = False  # tablespace_map says so, and the server makes the link by it
    filled: bool = False  # pg_tblspc has a directory with files in the place of the link


class UnreadSettings(NamedTuple):
    """A file of a backup's configuration whose settings are not known."""

    file: str  # in the data directory, or as it is written
    reason: str
    outside: bool = False  # the machine that restores has it, not the backup


class Unlabelled(NamedTuple):
    """What is known of a backup that has no backup_label."""

    started: bool  # a server renamed it to backup_label.old: it was started from this copy
    cold: bool  # the server was shut down when it was copied, and none is needed


class DamagedFork(NamedTuple):
    """Pages of one fork of one relation that are not as the server wrote them."""

    relation: str  # its path in the data directory, without fork and segment
    fork: str  # main, fsm, vm, init
    blocks: tuple[int, ...]  # the first of them, ascending, counted over all segments
    page_count: int  # of all of them


@dataclass(frozen=True, slots=True, kw_only=True)
class PagesFacts:
    """What reading every page of a backup said."""

    checked: int = 0  # pages held against their checksum
    new: int = 0  # all zeros: never used, without a checksum
    newer: int = 0  # changed since the backup's start: not judged, replay writes them again
    damaged: tuple[DamagedFork, ...] = ()  # whose checksum differs
    headless: tuple[DamagedFork, ...] = ()  # the header is that of a new page, the rest is not
    unchecked: str | None = None  # why no page was judged


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBackup:
    """What the tool that made a backup says of it, in the tool's own terms."""

    repository: int  # the number of its repository: as pgBackRest counts them, from 1
    label: str  # as the tool names it
    kind: str  # full, diff, incr
    parents: tuple[str, ...] = ()  # labels of the backups it is built on, the full one first
    page_errors: bool = False  # the tool found pages with a wrong checksum, and kept it


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupFacts:
    """One base backup, as far as its own files tell."""

    url: str
    label: BackupLabel  # of an unlabelled one: what pg_control says instead
    stop_lsn: int | None  # from the manifest or the archive's .backup; None: neither told
    stop_timeline: int | None
    needs: tuple[WalNeed, ...]  # from the manifest, oldest first; empty: it did not tell
    started_at: datetime | None  # None when the zone in the label is not known
    finished_at: datetime | None
    system_identifier: int | None
    major: int | None
    segment_size_bytes: int | None
    control: ControlFile | None  # its pg_control; None: it cannot be read
    wal: frozenset[str]  # segments in its own pg_wal
    wal_files: Mapping[str, ArchivedFile] = field(default_factory=dict)  # where each of them lies
    bad_files: tuple[str, ...]  # absent, or not as the manifest says; each with the reason
    unread_files: tuple[str, ...] = ()  # that could not be read; each with the reason
    files_checked: int | None  # how many of the manifest's files were checked; None: none
    manifest_error: str | None  # why it cannot be used; "": there is none; None: it is good
    depth: str  # label, files, checksums or pages: how far it was looked at
    pages: PagesFacts | None = None  # None: they were not to be read
    tablespaces: tuple[BackupTablespace, ...] = ()
    unlabelled: Unlabelled | None = None  # None: it has its backup_label
    settings: SettingsFacts | None = None  # of its configuration files; None: not read
    unread_settings: tuple[UnreadSettings, ...] = ()  # what `settings` may lack
    has_configuration: bool = True  # False: proven to hold no postgresql.conf, as Debian's
    signal_files: frozenset[str] = frozenset()  # recovery.signal, standby.signal: those it holds
    unlogged: tuple[str, ...] | None = None  # files of relations a restore empties; None: not known
    # Our clock: when we knew that it was there. None: before anything was listed.
    known_at: datetime | None = field(default=None, compare=False)
    stored: StoredBackup | None = None  # None: it lies there as PostgreSQL's own tools make it
    size_bytes: int | None = None  # of the manifest's files, unpacked; None: they were not counted
    # (file, its SHA-256): the manifest, which names every file's checksum, else the label.
    identified_by: tuple[str, str] | None = None

    @property
    def name(self) -> str:
        """What a person calls it."""
        return (self.stored.label if self.stored else self.label.label) or self.url


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupsFacts:
    """The base backups found, and what looked like one but could not be read."""

    backups: tuple[BackupFacts, ...]
    unreadable: Mapping[str, str]  # url -> why
    depth: str  # label, files, checksums or pages: how far they were to be looked at
    # url -> last change: being written or deleted, and no backup yet or any more
    changing: Mapping[str, datetime] = field(default_factory=dict)
