"""Rows of pg_class, pg_namespace and pg_database, and the map of the catalogs' own files.

The columns wanted stand before the first one of variable length and are never null: their places
are fixed (src/include/catalog/pg_class.h, pg_namespace.h, pg_database.h). The map is
RelMapFile in src/backend/utils/cache/relmapper.c.
"""

from __future__ import annotations

import enum
import struct
from typing import Final, NamedTuple

from parsers.errors import ParseError
from parsers.sentences import tr


class Catalog(enum.IntEnum):
    """The catalogs that name things, by their OID: also the file's number until it is rewritten."""

    PG_CLASS = 1259
    PG_DATABASE = 1262
    PG_NAMESPACE = 2615


class ClassRow(NamedTuple):
    """What pg_class says of one relation."""

    oid: int
    name: str
    namespace: int  # pg_namespace.oid
    filenode: int  # 0: no file of its own, or a mapped catalog
    tablespace: int  # 0: the database's default
    kind: str  # relkind


class NamedRow(NamedTuple):
    """One row of pg_namespace or pg_database."""

    oid: int
    name: str


_CLASS: Final = struct.Struct("<I64sI16xII")  # oid, relname, relnamespace, …, relfilenode, …space
_KIND_OFFSET: Final = 115  # relkind, to 17
_KIND_OFFSET_18: Final = 119  # relallfrozen stands before it
_LIMIT_OFFSET: Final = 80  # datconnlimit
_LIMIT_OFFSET_14: Final = 208  # to 14, after datcollate and datctype
_NAMED: Final = struct.Struct("<I64s")

# What is called a table, an index and so on.
KIND_WORDS: Final = {
    "r": tr("table"), "i": tr("index"), "S": tr("sequence"), "t": tr("toast table"),
    "v": tr("view"), "m": tr("materialized view"), "c": tr("composite type"),
    "f": tr("foreign table"), "p": tr("partitioned table"), "I": tr("partitioned index"),
}  # fmt: skip


def read_class_row(values: bytes, major: int) -> ClassRow | None:
    """A tuple of pg_class; None for one that cannot be such a row."""
    offset = _KIND_OFFSET_18 if major >= 18 else _KIND_OFFSET
    if len(values) <= offset:
        return None
    oid, name, namespace, filenode, tablespace = _CLASS.unpack_from(values)
    kind = chr(values[offset])
    if not oid or kind not in KIND_WORDS:
        return None
    return ClassRow(oid, _text(name), namespace, filenode, tablespace, kind)


def read_named_row(values: bytes) -> NamedRow | None:
    """A tuple of pg_namespace or pg_database; None for one that cannot be such a row."""
    if len(values) < _NAMED.size:
        return None
    oid, name = _NAMED.unpack_from(values)
    return NamedRow(oid, _text(name)) if oid else None


_INVALID_DATABASE: Final = -2  # DATCONNLIMIT_INVALID_DB


def is_invalid_database(values: bytes, major: int) -> bool:
    """Tell whether a tuple of pg_database is of a database that DROP DATABASE has begun to drop.

    No connection to it is possible any more, and nothing undoes that.
    """
    offset = _LIMIT_OFFSET if major >= 15 else _LIMIT_OFFSET_14
    if len(values) < offset + 4:
        return False
    return bool(struct.unpack_from("<i", values, offset)[0] == _INVALID_DATABASE)


def _text(name: bytes) -> str:
    return name.split(b"\0", 1)[0].decode("utf-8", "replace")


_MAP_MAGIC: Final = 0x592717
_MAP_HEAD: Final = struct.Struct("<II")
_MAP_ENTRY: Final = struct.Struct("<II")


def read_filenode_map(data: bytes) -> dict[int, int]:
    """pg_filenode.map: the catalogs that pg_class itself cannot place, oid -> file number.

    Raises ParseError for a file that is none.
    """
    try:
        magic, count = _MAP_HEAD.unpack_from(data)
        if magic != _MAP_MAGIC or count * _MAP_ENTRY.size > len(data) - _MAP_HEAD.size:
            raise ParseError(tr("not a pg_filenode.map"))
        return dict(_MAP_ENTRY.unpack_from(data, _MAP_HEAD.size + 8 * i) for i in range(count))
    except struct.error:
        raise ParseError(tr("pg_filenode.map cut short")) from None
