"""Records into facts: one record's main data to the value that says what happened.

Layouts follow src/include/catalog/pg_control.h, access/xlog_internal.h, access/xact.h
(ParseCommitRecord in access/rmgrdesc/xactdesc.c), catalog/storage_xlog.h, access/heapam_xlog.h,
commands/dbcommands_xlog.h and commands/tablespace.h of the major that wrote the record.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final, NamedTuple

from parsers.errors import ParseError
from parsers.sentences import tr
from parsers.wal.facts import (
    BackupEnd,
    CheckpointRecord,
    CheckpointRedo,
    ChecksumsChange,
    DatabaseDrop,
    EndOfRecovery,
    Event,
    FullPageWritesChange,
    LogicalDecodingChange,
    OverwrittenRecord,
    ParameterChange,
    Prepare,
    Relation,
    RelationTruncate,
    RestorePoint,
    RunningTransactions,
    TablespaceCreate,
    TablespaceDrop,
    TableTruncate,
    Transaction,
    TransactionKind,
)
from parsers.wal.record import Rmgr, main_data


class Source(NamedTuple):
    """The record that main data comes from."""

    major: int
    lsn: int
    end_lsn: int
    xid: int
    rmgr: int
    info: int


def decode(record: bytes, source: Source) -> Event | Transaction | None:
    """Decode a whole record that `holds_facts`; None for an operation that says nothing to us.

    Raises ParseError where the record is shorter than its kind demands.
    """
    data = main_data(record, source.major)
    try:
        if source.rmgr == Rmgr.TRANSACTION:
            return _decode_transaction(data, source)
        decoder = _DECODERS.get((source.rmgr, _operation(source)))
        return decoder(data, source) if decoder else None
    except (struct.error, IndexError):
        raise ParseError(
            tr(
                "record of {size} bytes of main data is too short for its kind "
                "(resource manager {rmgr}, info {info:02X})",
                size=len(data),
                rmgr=source.rmgr,
                info=source.info,
            )
        ) from None


def _operation(source: Source) -> int:
    """Opcode; XLOG_HEAP_INIT_PAGE (0x80) shares Heap's nibble."""
    return source.info & (0x70 if source.rmgr == Rmgr.HEAP else 0xF0)


# -- the XLOG resource manager -------------------------------------------------------------------


def _checkpoint(data: bytes, source: Source) -> CheckpointRecord:
    checkpoint = parse_checkpoint(data, source.major)
    return CheckpointRecord(
        source.lsn,
        source.end_lsn,
        source.info & 0xF0 == 0x00,
        checkpoint.redo_lsn,
        checkpoint.timeline,
        checkpoint.previous_timeline,
        checkpoint.full_page_writes,
        checkpoint.wal_level,
        checkpoint.next_xid,
        checkpoint.time,
    )


class Checkpoint(NamedTuple):
    """The CheckPoint struct, in a checkpoint record and in pg_control."""

    redo_lsn: int  # where recovery from it begins
    timeline: int
    previous_timeline: int
    full_page_writes: bool
    wal_level: int | None  # None before 17
    next_xid: int  # 64 bits: epoch << 32 | xid
    next_oid: int
    next_multi: int
    next_multi_offset: int
    oldest_xid: int
    oldest_xid_database: int
    oldest_multi: int
    oldest_multi_database: int
    time: int  # seconds since 1970
    oldest_commit_ts_xid: int
    newest_commit_ts_xid: int
    oldest_active_xid: int  # 0 in a shutdown checkpoint
    data_checksums: int | None = None  # as data_checksum_version of pg_control; None before 19


_CHECKPOINT: Final = struct.Struct("<QII?3xiQIIIIIII4xqIII")
_CHECKPOINT_19: Final = struct.Struct("<QII?3xi?7xQIIQIIIIqIIII")


def checkpoint_bytes(major: int) -> int:
    """Size of the CheckPoint struct as the server has it in memory and on disk."""
    return 96 if major >= 19 else 88


def parse_checkpoint(data: bytes, major: int) -> Checkpoint:
    """Read a CheckPoint struct. Raises struct.error when `data` is too short."""
    if major >= 19:
        values = list(_CHECKPOINT_19.unpack_from(data))
        del values[5]  # logicalDecodingEnabled
    else:
        values = list(_CHECKPOINT.unpack_from(data))
    if major < 17:
        values[4] = None  # padding there
    return Checkpoint(*values)


def _restore_point(data: bytes, source: Source) -> RestorePoint:
    time_us, name = struct.unpack_from("<q64s", data)
    text = name.split(b"\0", 1)[0].decode("utf-8", "replace")
    return RestorePoint(source.lsn, source.end_lsn, time_us, text)


def _end_of_recovery(data: bytes, source: Source) -> EndOfRecovery:
    time_us, timeline, previous = struct.unpack_from("<qII", data)
    level = struct.unpack_from("<i", data, 16)[0] if source.major >= 17 else None
    return EndOfRecovery(source.lsn, source.end_lsn, time_us, timeline, previous, level)


def _running_transactions(data: bytes, source: Source) -> RunningTransactions:
    count, _subxacts, overflowed, *xids = struct.unpack_from("<ii?3xII", data)
    return RunningTransactions(source.lsn, source.end_lsn, count, overflowed, *xids)


# -- relations, databases, tablespaces ------------------------------------------------------------


def _relation_truncate(data: bytes, source: Source) -> RelationTruncate:
    blocks, *relation = struct.unpack_from("<IIII", data)
    return RelationTruncate(source.lsn, source.end_lsn, source.xid, Relation(*relation), blocks)


def _table_truncate(data: bytes, source: Source) -> TableTruncate:
    database, count = struct.unpack_from("<II", data)
    tables = struct.unpack_from(f"<{count}I", data, 12)
    return TableTruncate(source.lsn, source.end_lsn, source.xid, database, tables)


def _tablespace_create(data: bytes, source: Source) -> TablespaceCreate:
    (oid,) = struct.unpack_from("<I", data)
    location = data[4:].split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
    return TablespaceCreate(source.lsn, source.end_lsn, source.xid, oid, location)


def _fields(
    kind: Callable[..., Event], layout: str, *, since: int = 0, of_xid: bool = False
) -> Callable[[bytes, Source], Event | None]:
    """The decoder of a body that is an event's fields one after the other, from a major on."""
    body = struct.Struct(layout)

    def read(data: bytes, source: Source) -> Event | None:
        if source.major < since:
            return None
        where = (source.lsn, source.end_lsn, source.xid)
        return kind(*(where if of_xid else where[:2]), *body.unpack_from(data))

    return read


_DECODERS: Final[dict[tuple[int, int], Callable[[bytes, Source], Event | None]]] = {
    (Rmgr.XLOG, 0x00): _checkpoint,
    (Rmgr.XLOG, 0x10): _checkpoint,
    (Rmgr.XLOG, 0x50): _fields(BackupEnd, "<Q"),
    (Rmgr.XLOG, 0x60): _fields(ParameterChange, "<6i2?"),
    (Rmgr.XLOG, 0x70): _restore_point,
    (Rmgr.XLOG, 0x80): _fields(FullPageWritesChange, "<?"),
    (Rmgr.XLOG, 0x90): _end_of_recovery,
    (Rmgr.XLOG, 0xD0): _fields(OverwrittenRecord, "<Qq"),
    (Rmgr.XLOG, 0xE0): _fields(CheckpointRedo, "<i", since=17),
    (Rmgr.XLOG, 0xF0): _fields(LogicalDecodingChange, "<?", since=19),
    (Rmgr.XLOG2, 0x00): _fields(ChecksumsChange, "<I"),  # 19 and later
    (Rmgr.STANDBY, 0x10): _running_transactions,
    (Rmgr.STORAGE, 0x20): _relation_truncate,
    (Rmgr.DATABASE, 0x10): _fields(DatabaseDrop, "<I", of_xid=True),  # 13, 14
    (Rmgr.DATABASE, 0x20): _fields(DatabaseDrop, "<I", of_xid=True),  # 15 and later
    (Rmgr.TABLESPACE, 0x00): _tablespace_create,
    (Rmgr.TABLESPACE, 0x10): _fields(TablespaceDrop, "<I", of_xid=True),
    (Rmgr.HEAP, 0x30): _table_truncate,
}

# -- transactions --------------------------------------------------------------------------------

HAS_XINFO: Final = 0x80
_HAS_DBINFO: Final = 0x001
_HAS_SUBXACTS: Final = 0x002
_HAS_RELATIONS: Final = 0x004
_HAS_INVALS: Final = 0x008
_HAS_TWOPHASE: Final = 0x010
_HAS_GID: Final = 0x080
_HAS_DROPPED_STATS: Final = 0x100

# Operation of Rmgr.TRANSACTION -> how the transaction ended.
KIND_BY_OPERATION: Final = {
    0x00: TransactionKind.COMMIT,
    0x20: TransactionKind.ABORT,
    0x30: TransactionKind.COMMIT_PREPARED,
    0x40: TransactionKind.ABORT_PREPARED,
}
PREPARE: Final = 0x10


def _decode_transaction(data: bytes, source: Source) -> Transaction | Prepare | None:
    operation = source.info & 0x70
    if operation == PREPARE:
        xid, _database, prepared_at = struct.unpack_from("<IIq", data, 8)
        return Prepare(source.lsn, source.end_lsn, prepared_at, xid)
    kind = KIND_BY_OPERATION.get(operation)
    if kind is None:
        return None
    (time_us,) = struct.unpack_from("<q", data)
    plain = Transaction(source.lsn, source.end_lsn, time_us, source.xid, kind)
    return _with_details(plain, data, source.major) if source.info & HAS_XINFO else plain


def _with_details(plain: Transaction, data: bytes, major: int) -> Transaction:
    """Add what xinfo announces, in the order of ParseCommitRecord and ParseAbortRecord."""
    (xinfo,) = struct.unpack_from("<I", data, 8)
    at = 12 + (8 if xinfo & _HAS_DBINFO else 0)
    subxids: tuple[int, ...] = ()
    relations: tuple[Relation, ...] = ()
    if xinfo & _HAS_SUBXACTS:
        subxids, at = _array(data, at, 4)
    if xinfo & _HAS_RELATIONS:
        flat, at = _array(data, at, 12)
        relations = tuple(map(Relation._make, zip(*[iter(flat)] * 3, strict=True)))
    if xinfo & _HAS_DROPPED_STATS:
        _, at = _array(data, at, 16 if major >= 18 else 12)
    if xinfo & _HAS_INVALS:
        _, at = _array(data, at, 16)
    xid, gid = plain.xid, None
    if xinfo & _HAS_TWOPHASE:
        (xid,) = struct.unpack_from("<I", data, at)
        if xinfo & _HAS_GID:
            gid = data[at + 4 :].split(b"\0", 1)[0].decode("utf-8", "replace")
    return plain._replace(xid=xid, subxids=subxids, relations=relations, gid=gid)


def _array(data: bytes, at: int, item_bytes: int) -> tuple[tuple[int, ...], int]:
    """Give (the 32-bit words of a counted array, offset after it)."""
    (count,) = struct.unpack_from("<I", data, at)
    words = count * item_bytes // 4
    if words > len(data) // 4:
        raise ParseError(
            tr(
                "transaction record announces {count} items of {item_bytes} bytes",
                count=count,
                item_bytes=item_bytes,
            )
        )
    return struct.unpack_from(f"<{words}I", data, at + 4), at + 4 + words * 4
