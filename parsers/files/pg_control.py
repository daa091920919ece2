"""`global/pg_control`: what a cluster knows of itself, its latest checkpoint first of all.

Follows ControlFileData in src/include/catalog/pg_control.h, one layout a row, chosen by the file's
own pg_control_version, and get_controlfile in src/common/controldata_utils.c: a checksum that does
not match is, on a live server, a read that met a write (`TornControlFile`): read again. A whole
file of another release is no damage (`OtherRelease`). The mock authentication nonce is left out on
purpose.
"""

from __future__ import annotations

import enum
import struct
from typing import Any, Final, NamedTuple

from parsers.errors import ParseError
from parsers.sentences import tr
from parsers.values import dataclass
from parsers.wal.crc import crc32c
from parsers.wal.decode import Checkpoint, checkpoint_bytes, parse_checkpoint


class TornControlFile(ParseError):
    """The checksum does not match: half of a write was read. The caller reads again."""


class OtherRelease(ParseError):
    """A whole file, of a pg_control version that is not known here: nothing is wrong with it."""


class ClusterState(enum.IntEnum):
    """DBState."""

    STARTING_UP = 0
    SHUT_DOWN = 1
    SHUT_DOWN_IN_RECOVERY = 2
    SHUTTING_DOWN = 3
    IN_CRASH_RECOVERY = 4
    IN_ARCHIVE_RECOVERY = 5
    IN_PRODUCTION = 6

    @property
    def text(self) -> str:
        """As pg_controldata words it."""
        return _STATE_TEXTS[self]


_STATE_TEXTS: Final = (
    "starting up", "shut down", "shut down in recovery", "shutting down", "in crash recovery",
    "in archive recovery", "in production",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlFile:
    """pg_control, in the order of pg_controldata. LSN 0 is "none"."""

    control_version: int
    catalog_version: int
    system_identifier: int
    state: ClusterState
    modified: int  # seconds since 1970
    checkpoint_lsn: int  # of the latest checkpoint's record
    checkpoint: Checkpoint
    unlogged_lsn: int
    min_recovery_lsn: int  # recovery must come at least here
    min_recovery_timeline: int
    backup_start_lsn: int  # not 0: recovery from a backup has not reached its end
    backup_end_lsn: int
    backup_end_required: bool
    wal_level: int  # 0 minimal, 1 replica, 2 logical
    wal_log_hints: bool
    max_connections: int
    max_worker_processes: int
    max_wal_senders: int
    max_prepared_transactions: int
    max_locks_per_transaction: int
    track_commit_timestamp: bool
    max_align: int
    block_size: int  # bytes
    relation_segment_blocks: int
    wal_block_size: int  # bytes
    wal_segment_size: int  # bytes
    max_identifier_bytes: int
    max_index_columns: int
    toast_chunk_bytes: int
    large_object_chunk_bytes: int
    float8_by_value: bool
    data_checksum_version: int  # 0 off, 1 on; from 19 on 2 and 3: being turned off, on
    default_char_signed: bool | None  # None before 18

    @property
    def major(self) -> int | None:
        """PostgreSQL major version; None for a catalog of 13 to 16 that no release has."""
        return _LAYOUTS[self.control_version].major or MAJOR_BY_CATALOG.get(self.catalog_version)


CHECKSUMS_ON: Final = 1  # data_checksum_version: PG_DATA_CHECKSUM_VERSION
# 13 to 16 share pg_control_version 1300: the catalog tells them apart.
MAJOR_BY_CATALOG: Final = {
    202007201: 13,
    202107181: 14,
    202209061: 15,
    202307071: 16,
}


class _Layout(NamedTuple):
    """Where things are in one pg_control_version."""

    major: int | None  # None: of several majors
    checkpoint_major: int  # whose CheckPoint struct it holds
    rest: struct.Struct  # after the CheckPoint, up to the checksum version
    signedness_offset: int | None
    crc_offset: int


_START: Final = struct.Struct("<QIIi4xqQ")
_REST: Final = struct.Struct("<QQI4xQQ?3xi?3xiiiii?3xI8xIIIIIIII?3xI")
# Two fields came in between: slru_pages_per_segment, and the checksum version as initdb set it.
_REST_19: Final = struct.Struct("<QQI4xQQ?3xi?3xiiiii?3xI8xII4xIIIIII?3x4xI")
_LAYOUTS: Final = {
    1300: _Layout(None, 13, _REST, None, 288),
    1700: _Layout(17, 17, _REST, None, 288),
    1800: _Layout(18, 18, _REST, 256, 292),
    1903: _Layout(19, 19, _REST_19, 272, 308),
}
MAJORS: Final = frozenset(layout.major for layout in _LAYOUTS.values() if layout.major)
_VERSION_OFFSET: Final = 8
_MAX_STRUCT_BYTES: Final = 512  # PG_CONTROL_MAX_SAFE_SIZE


def parse_control_file(data: bytes) -> ControlFile:
    """Read pg_control, all of it or at least its struct.

    Raises OtherRelease for a version that is not known here, TornControlFile when the checksum does
    not match (both are ParseErrors).
    """
    if len(data) < _START.size:
        raise ParseError(
            tr("pg_control of {size} bytes: cut short", size=len(data)), offset=len(data)
        )
    (version,) = struct.unpack_from("<I", data, _VERSION_OFFSET)
    layout = _LAYOUTS.get(version)
    if layout is None:
        raise _unknown(bytes(data[:_MAX_STRUCT_BYTES]), version)
    if len(data) < layout.crc_offset + 4:
        raise ParseError(
            tr("pg_control of {size} bytes: cut short", size=len(data)), offset=len(data)
        )
    (crc,) = struct.unpack_from("<I", data, layout.crc_offset)
    if crc32c(bytes(data[: layout.crc_offset])) != crc:
        raise TornControlFile(tr("checksum does not match"), offset=layout.crc_offset)
    return _read(bytes(data), layout)


def _unknown(data: bytes, version: int) -> ParseError:
    """Tell a file of another release from a damaged one: every release ends it with a CRC-32C."""
    crc = crc32c(data[: _START.size])
    for end in range(_START.size, len(data) - 3, 4):
        if data[end : end + 4] == crc.to_bytes(4, "little"):
            message = (
                tr(
                    "pg_control version {version}: of a PostgreSQL newer than this program knows",
                    version=version,
                )
                if version > max(_LAYOUTS)
                else tr(
                    "pg_control version {version}: of a PostgreSQL older than this program knows",
                    version=version,
                )
            )
            return OtherRelease(message, offset=_VERSION_OFFSET)
        crc = crc32c(data[end : end + 4], crc)
    return ParseError(
        tr("unknown pg_control version {version}, and no checksum that matches", version=version),
        offset=_VERSION_OFFSET,
    )


def _read(data: bytes, layout: _Layout) -> ControlFile:
    system, control, catalog, state, modified, checkpoint_lsn = _START.unpack_from(data)
    if state not in iter(ClusterState):
        raise ParseError(tr("unknown cluster state {state}", state=state), offset=16)
    at = _START.size + checkpoint_bytes(layout.checkpoint_major)
    rest: tuple[Any, ...] = layout.rest.unpack_from(data, at)
    signed = None
    if layout.signedness_offset is not None:
        signed = data[layout.signedness_offset] != 0
    return ControlFile(
        control_version=control,
        catalog_version=catalog,
        system_identifier=system,
        state=ClusterState(state),
        modified=modified,
        checkpoint_lsn=checkpoint_lsn,
        checkpoint=parse_checkpoint(data[_START.size : at], layout.checkpoint_major),
        default_char_signed=signed,
        **dict(zip(_REST_FIELDS, rest, strict=True)),
    )


_REST_FIELDS: Final = (
    "unlogged_lsn", "min_recovery_lsn", "min_recovery_timeline", "backup_start_lsn",
    "backup_end_lsn", "backup_end_required", "wal_level", "wal_log_hints", "max_connections",
    "max_worker_processes", "max_wal_senders", "max_prepared_transactions",
    "max_locks_per_transaction", "track_commit_timestamp", "max_align", "block_size",
    "relation_segment_blocks", "wal_block_size", "wal_segment_size", "max_identifier_bytes",
    "max_index_columns", "toast_chunk_bytes", "large_object_chunk_bytes", "float8_by_value",
    "data_checksum_version",
)  # fmt: skip
