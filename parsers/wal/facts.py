"""What the WAL says happened, as values: transactions, restore points, checkpoints and the rest.

LSNs are ints: `lsn` where a record starts, `end_lsn` where it ends, as
pg_create_restore_point() returns it. `_us` fields are PostgreSQL's TimestampTz, microseconds since
2000-01-01 UTC; `instant` turns one into a datetime at the edge.
"""

from __future__ import annotations

import enum
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from parsers.values import dataclass

POSTGRES_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


def instant(time_us: int) -> datetime:
    """An aware datetime from a TimestampTz; beyond year 9999 or before year 1 it is clamped.

    >>> instant(0).isoformat()
    '2000-01-01T00:00:00+00:00'
    """
    try:
        return POSTGRES_EPOCH + timedelta(microseconds=time_us)
    except OverflowError:
        return (datetime.max if time_us > 0 else datetime.min).replace(tzinfo=UTC)


class Relation(NamedTuple):
    """RelFileLocator: the files of one relation."""

    tablespace: int
    database: int
    number: int

    def __str__(self) -> str:
        return f"{self.tablespace}/{self.database}/{self.number}"


class TransactionKind(enum.IntEnum):
    """How a transaction ended."""

    COMMIT = 0
    ABORT = 1
    COMMIT_PREPARED = 2
    ABORT_PREPARED = 3

    @property
    def is_commit(self) -> bool:
        return self in (TransactionKind.COMMIT, TransactionKind.COMMIT_PREPARED)


class Transaction(NamedTuple):
    """One COMMIT or ABORT record."""

    lsn: int
    end_lsn: int
    time_us: int  # by the clock of the backend that wrote it: not in LSN order
    xid: int  # of the top level; of a prepared transaction, its own
    kind: TransactionKind
    subxids: tuple[int, ...] = ()
    relations: tuple[Relation, ...] = ()  # whose files go away: dropped, truncated or rewritten
    gid: str | None = None  # of a prepared transaction; only where wal_level is logical

    @property
    def time(self) -> datetime:
        return instant(self.time_us)


class TransactionDetails(NamedTuple):
    """What only a few transactions have."""

    subxids: tuple[int, ...]
    relations: tuple[Relation, ...]
    gid: str | None


class DatedPlace(NamedTuple):
    """A record with a time."""

    lsn: int
    time_us: int  # TimestampTz; a checkpoint's is cut to the second
    transactions: int = 0  # that ended after the previous place, up to and including this one


_SAMPLES: Final = 16  # of the transactions of one piece of WAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Transactions:
    """Commits and aborts in LSN order: a sequence of `Transaction`, packed as columns.

    The columns may be used as they are: numpy.frombuffer() reads them without a copy.
    """

    lsns: array[int] = field(default_factory=lambda: array("q"))
    end_lsns: array[int] = field(default_factory=lambda: array("q"))
    times_us: array[int] = field(default_factory=lambda: array("q"))
    xids: array[int] = field(default_factory=lambda: array("I"))
    kinds: array[int] = field(default_factory=lambda: array("B"))  # TransactionKind
    details: dict[int, TransactionDetails] = field(default_factory=dict)  # by row

    def __len__(self) -> int:
        return len(self.lsns)

    def __getitem__(self, row: int) -> Transaction:
        row = range(len(self))[row]
        return Transaction(
            self.lsns[row],
            self.end_lsns[row],
            self.times_us[row],
            self.xids[row],
            TransactionKind(self.kinds[row]),
            *self.details.get(row, ()),
        )

    def __iter__(self) -> Iterator[Transaction]:
        return (self[row] for row in range(len(self)))

    def append(self, fact: Transaction) -> None:
        if fact.subxids or fact.relations or fact.gid:
            self.details[len(self)] = TransactionDetails(fact.subxids, fact.relations, fact.gid)
        self.lsns.append(fact.lsn)
        self.end_lsns.append(fact.end_lsn)
        self.times_us.append(fact.time_us)
        self.xids.append(fact.xid)
        self.kinds.append(fact.kind)

    def sample(self) -> Sequence[DatedPlace]:
        """The first, the last and some between; the others are counted."""
        last = len(self) - 1
        rows = {round(n * last / (_SAMPLES - 1)) for n in range(_SAMPLES)} if len(self) else ()
        places, before = [], -1
        for row in sorted(rows):
            places.append(DatedPlace(self.lsns[row], self.times_us[row], row - before))
            before = row
        return places

    def from_lsn(self, lsn: int) -> Transactions:
        """Those whose record starts at `lsn` or after it."""
        return self._rows(bisect_left(self.lsns, lsn), len(self))

    def before(self, lsn: int) -> Transactions:
        """Those whose record starts before `lsn`."""
        return self._rows(0, bisect_left(self.lsns, lsn))

    def _rows(self, first: int, last: int) -> Transactions:
        return Transactions(
            lsns=self.lsns[first:last],
            end_lsns=self.end_lsns[first:last],
            times_us=self.times_us[first:last],
            xids=self.xids[first:last],
            kinds=self.kinds[first:last],
            details={
                row - first: kept for row, kept in self.details.items() if first <= row < last
            },
        )


class RestorePoint(NamedTuple):
    """pg_create_restore_point()."""

    lsn: int
    end_lsn: int
    time_us: int
    name: str


class Prepare(NamedTuple):
    """PREPARE TRANSACTION: not an end, but replay needs max_prepared_transactions for it."""

    lsn: int
    end_lsn: int
    time_us: int
    xid: int


class CheckpointRecord(NamedTuple):
    """XLOG_CHECKPOINT_ONLINE or _SHUTDOWN: where a recovery could begin."""

    lsn: int
    end_lsn: int
    shutdown: bool
    redo_lsn: int
    timeline: int
    previous_timeline: int  # other than `timeline`: this record begins the timeline
    full_page_writes: bool
    wal_level: int | None  # None before 17
    next_xid: int  # 64 bits: epoch and xid
    time: int  # seconds since 1970


class ParameterChange(NamedTuple):
    """XLOG_PARAMETER_CHANGE: settings that a restored server must reach."""

    lsn: int
    end_lsn: int
    max_connections: int
    max_worker_processes: int
    max_wal_senders: int
    max_prepared_transactions: int
    max_locks_per_transaction: int
    wal_level: int  # 0 minimal, 1 replica, 2 logical
    wal_log_hints: bool
    track_commit_timestamp: bool


class FullPageWritesChange(NamedTuple):
    """XLOG_FPW_CHANGE."""

    lsn: int
    end_lsn: int
    on: bool


class ChecksumsChange(NamedTuple):
    """XLOG2_CHECKSUMS (19 and later): data checksums are switched, in two steps."""

    lsn: int
    end_lsn: int
    state: int  # 0 off, 1 on, 2 being turned off, 3 being turned on


class LogicalDecodingChange(NamedTuple):
    """XLOG_LOGICAL_DECODING_STATUS_CHANGE (19 and later): by the first slot, and the last."""

    lsn: int
    end_lsn: int
    on: bool


class BackupEnd(NamedTuple):
    """XLOG_BACKUP_END: from `end_lsn` on, the backup that began at `start_lsn` is consistent."""

    lsn: int
    end_lsn: int
    start_lsn: int


class EndOfRecovery(NamedTuple):
    """XLOG_END_OF_RECOVERY: a promotion without a checkpoint of its own."""

    lsn: int
    end_lsn: int
    time_us: int
    timeline: int
    previous_timeline: int
    wal_level: int | None  # None before 17


class OverwrittenRecord(NamedTuple):
    """XLOG_OVERWRITE_CONTRECORD: a crash left the record at `overwritten_lsn` unfinished."""

    lsn: int
    end_lsn: int
    overwritten_lsn: int
    time_us: int


class CheckpointRedo(NamedTuple):
    """XLOG_CHECKPOINT_REDO (17 and later): the redo point of an online checkpoint."""

    lsn: int
    end_lsn: int
    wal_level: int


class RunningTransactions(NamedTuple):
    """XLOG_RUNNING_XACTS: what was open; a hot standby needs one to let anybody in."""

    lsn: int
    end_lsn: int
    open_count: int  # top-level transactions
    overflowed: bool  # some had more than 64 subtransactions: those are not listed
    next_xid: int
    oldest_running_xid: int


class RelationTruncate(NamedTuple):
    """XLOG_SMGR_TRUNCATE: a relation's file cut short, by VACUUM or in its own transaction."""

    lsn: int
    end_lsn: int
    xid: int
    relation: Relation
    blocks: int  # that remain


class TableTruncate(NamedTuple):
    """XLOG_HEAP_TRUNCATE: TRUNCATE as logical decoding sees it; only where wal_level is logical."""

    lsn: int
    end_lsn: int
    xid: int
    database: int
    tables: tuple[int, ...]  # pg_class.oid


class DatabaseDrop(NamedTuple):
    """XLOG_DBASE_DROP."""

    lsn: int
    end_lsn: int
    xid: int
    database: int


class TablespaceCreate(NamedTuple):
    """XLOG_TBLSPC_CREATE: replay wants the location to be there."""

    lsn: int
    end_lsn: int
    xid: int
    tablespace: int
    location: str  # empty: a directory in pg_tblspc itself (allow_in_place_tablespaces)


class TablespaceDrop(NamedTuple):
    """XLOG_TBLSPC_DROP."""

    lsn: int
    end_lsn: int
    xid: int
    tablespace: int


Event = (
    RestorePoint
    | Prepare
    | CheckpointRecord
    | ParameterChange
    | FullPageWritesChange
    | ChecksumsChange
    | LogicalDecodingChange
    | BackupEnd
    | EndOfRecovery
    | OverwrittenRecord
    | CheckpointRedo
    | RunningTransactions
    | RelationTruncate
    | TableTruncate
    | DatabaseDrop
    | TablespaceCreate
    | TablespaceDrop
)


class RmgrCount(NamedTuple):
    """Records of one resource manager."""

    rmgr: int
    records: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the records of one stretch of WAL say, in LSN order."""

    first_lsn: int | None = None  # of the first complete record; None without one
    last_lsn: int | None = None  # of the last complete record
    end_lsn: int | None = None  # its end
    records: int = 0
    transactions: Transactions = field(default_factory=Transactions)
    events: tuple[Event, ...] = ()
    by_rmgr: tuple[RmgrCount, ...] = ()

    @property
    def restore_points(self) -> tuple[RestorePoint, ...]:
        return tuple(event for event in self.events if isinstance(event, RestorePoint))

    @property
    def checkpoints(self) -> tuple[CheckpointRecord, ...]:
        return tuple(event for event in self.events if isinstance(event, CheckpointRecord))

    @property
    def parameter_changes(self) -> tuple[ParameterChange, ...]:
        return tuple(event for event in self.events if isinstance(event, ParameterChange))

    @property
    def backup_ends(self) -> tuple[BackupEnd, ...]:
        return tuple(event for event in self.events if isinstance(event, BackupEnd))
