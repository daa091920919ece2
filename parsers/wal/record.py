"""WAL records: their 24-byte header, and the way to the main data after it.

Follows XLogRecord in src/include/access/xlogrecord.h and DecodeXLogRecord in
src/backend/access/transam/xlogreader.c.
"""

from __future__ import annotations

import enum
import struct
from typing import Final, NamedTuple

from parsers.errors import ParseError
from parsers.sentences import tr

RECORD_HEADER_BYTES: Final = 24
MAX_RECORD_BYTES: Final = 1020 * 1024 * 1024  # XLogRecordMaxSize


class RecordHeader(NamedTuple):
    """XLogRecord."""

    length: int  # I  of the whole record, header included
    xid: int  # I  0 when no transaction wrote it
    prev_lsn: int  # Q  where the record before starts
    info: int  # B  high nibble belongs to the resource manager
    rmgr: int  # B  resource manager
    crc: int  # I  CRC-32C of the body, then of the 20 bytes before this field


class RecordPlace(NamedTuple):
    """Where one record lies and whose it is."""

    lsn: int
    end_lsn: int  # of a switch, the segment's
    rmgr: int
    info: int
    xid: int


_HEADER: Final = struct.Struct("<IIQBB2xI")


class Rmgr(enum.IntEnum):
    """Resource managers whose records hold facts: src/include/access/rmgrlist.h."""

    XLOG = 0
    TRANSACTION = 1
    STORAGE = 2
    DATABASE = 4
    TABLESPACE = 5
    STANDBY = 8
    HEAP = 10
    XLOG2 = 22  # 19 and later


RMGR_NAMES: Final = (
    "XLOG", "Transaction", "Storage", "CLOG", "Database", "Tablespace", "MultiXact", "RelMap",
    "Standby", "Heap2", "Heap", "Btree", "Hash", "Gin", "Gist", "Sequence", "SPGist", "BRIN",
    "CommitTs", "ReplicationOrigin", "Generic", "LogicalMessage", "XLOG2",
)  # fmt: skip
_FIRST_CUSTOM_RMGR: Final = 128  # 15 and later: 128 to 255 belong to extensions

SWITCH: Final = 0x40  # of Rmgr.XLOG: the rest of the segment is empty
OVERWRITE_CONTRECORD: Final = 0xD0  # of Rmgr.XLOG: names a record that a crash cut short
# Of Rmgr.XLOG, without facts: NOOP, NEXTOID, FPI_FOR_HINT, FPI.
_DULL_XLOG: Final = (0x20, 0x30, 0xA0, 0xB0)


def rmgr_name(rmgr: int) -> str:
    """Name a resource manager as pg_waldump does."""
    return RMGR_NAMES[rmgr] if rmgr < len(RMGR_NAMES) else f"custom{rmgr:03d}"


def is_switch(rmgr: int, info: int) -> bool:
    """Tell whether a record is an XLOG_SWITCH."""
    return rmgr == Rmgr.XLOG and info & 0xF0 == SWITCH


def is_rmgr(rmgr: int, major: int) -> bool:
    """Tell whether a server of this major may write records of a resource manager."""
    builtin = 23 if major >= 19 else 22
    return rmgr < builtin or (major >= 15 and rmgr >= _FIRST_CUSTOM_RMGR)


def holds_facts(rmgr: int, info: int, major: int) -> bool:
    """Tell whether a record is worth decoding; all others are only counted."""
    op = info & 0xF0
    match rmgr:
        case Rmgr.XLOG:
            return op not in _DULL_XLOG
        case Rmgr.TRANSACTION:
            return op & 0x70 <= 0x40
        case Rmgr.STORAGE:
            return op == 0x20  # XLOG_SMGR_TRUNCATE
        case Rmgr.DATABASE:
            return op == (0x20 if major >= 15 else 0x10)  # XLOG_DBASE_DROP
        case Rmgr.TABLESPACE:
            return op in (0x00, 0x10)  # XLOG_TBLSPC_CREATE, _DROP
        case Rmgr.STANDBY:
            return op == 0x10  # XLOG_RUNNING_XACTS
        case Rmgr.HEAP:
            return op & 0x70 == 0x30  # XLOG_HEAP_TRUNCATE
        case Rmgr.XLOG2:
            return major >= 19 and op == 0x00  # XLOG2_CHECKSUMS
        case _:
            return False


def packed_image_flags(major: int) -> int:
    """The bits of bimg_info, in a page that a record carries, of which one says how it is packed.

    To 14 that it is, by pglz; then pglz, lz4, zstd.
    """
    return 0x02 if major <= 14 else 0x1C


def parse_record_header(record: bytes) -> RecordHeader:
    """Read the first 24 bytes. Judges nothing but the length."""
    if len(record) < RECORD_HEADER_BYTES:
        raise ParseError(tr("record header cut short"), offset=0)
    return RecordHeader(*_HEADER.unpack_from(record))


_HAS_IMAGE: Final = 0x10
_SAME_REL: Final = 0x80
_HAS_HOLE: Final = 0x01
_ORIGIN: Final = 253
_TOPLEVEL_XID: Final = 252
_LONG_MAIN: Final = 254
_SHORT_MAIN: Final = 255
_MAX_BLOCK: Final = 32


def main_data(record: bytes, major: int) -> bytes:
    """The part of a record that its resource manager defines; empty when it has none.

    Raises ParseError for headers that contradict the record's length.
    """
    at, payload = RECORD_HEADER_BYTES, 0
    try:
        while len(record) - at > payload:
            kind = record[at]
            if kind == _SHORT_MAIN:
                return _tail(record, record[at + 1], at + 2 + payload)
            if kind == _LONG_MAIN:
                (length,) = struct.unpack_from("<I", record, at + 1)
                return _tail(record, length, at + 5 + payload)
            if kind in (_ORIGIN, _TOPLEVEL_XID):
                at += 3 if kind == _ORIGIN else 5
            elif kind <= _MAX_BLOCK:
                at, data = _skip_block(record, at, major)
                payload += data
            else:
                raise ParseError(tr("unknown record part {kind}", kind=kind), offset=at)
    except (struct.error, IndexError):
        raise ParseError(tr("record parts run past its end"), offset=at) from None
    return b""


def _tail(record: bytes, length: int, start: int) -> bytes:
    if start + length != len(record):
        raise ParseError(
            tr("main data of {length} bytes does not fill the record", length=length), offset=start
        )
    return record[start:]


def _skip_block(record: bytes, at: int, major: int) -> tuple[int, int]:
    """Give (offset after one block reference, bytes of payload that it announces)."""
    flags, data = struct.unpack_from("<BH", record, at + 1)
    at += 4
    if flags & _HAS_IMAGE:
        image, _, image_info = struct.unpack_from("<HHB", record, at)
        compressed = image_info & (0x02 if major <= 14 else 0x1C)
        at += 7 if compressed and image_info & _HAS_HOLE else 5
        data += image
    if not flags & _SAME_REL:
        at += 12
    return at + 4, data
