"""A server's catalogs and what its WAL says of them, in every way in which it may say it."""

from __future__ import annotations

import copy
import struct
from dataclasses import dataclass, field
from typing import Literal

from parsers.wal.facts import Relation
from parsers.wal.heap_page import HeapTuple
from parsers.wal.journal import CatalogChange, PageSeen, RowChange
from parsers.wal.pg_catalog import Catalog, ClassRow

DATABASE = 16384
PUBLIC = 2200
PG_CLASS = Relation(1663, DATABASE, Catalog.PG_CLASS)
PG_NAMESPACE = Relation(1663, DATABASE, Catalog.PG_NAMESPACE)
PG_DATABASE = Relation(1664, 0, Catalog.PG_DATABASE)

# How a record has the row that comes: all of it, what differs from the old one, or its page.
Spelling = Literal["whole", "short", "image"]


def class_row(row: ClassRow, major: int = 16) -> bytes:
    """A tuple of pg_class, as far as anybody reads it."""
    head = struct.pack(
        "<I64sI16xII", row.oid, row.name.encode(), row.namespace, row.filenode, row.tablespace
    )
    return head.ljust(119 if major >= 18 else 115, b"\0") + row.kind.encode() + bytes(20)


def named_row(oid: int, name: str, *, limit: int = -1, major: int = 16) -> bytes:
    """A tuple of pg_namespace or pg_database; `limit` is datconnlimit."""
    head = struct.pack("<I64s", oid, name.encode())
    return head.ljust(80 if major >= 15 else 208, b"\0") + struct.pack("<i", limit) + bytes(20)


@dataclass
class Catalogs:
    """The rows that are visible now, and what was written to get there."""

    written: list[CatalogChange] = field(default_factory=list)
    rows: dict[tuple[Relation, int], tuple[int, bytes]] = field(default_factory=dict)  # by oid
    pages: dict[Relation, list[bytes]] = field(default_factory=dict)  # every tuple ever put there
    lsn: int = 0x1000

    def snapshot(self) -> dict[tuple[Relation, int], tuple[int, bytes]]:
        return copy.copy(self.rows)

    def loaded(self, relation: Relation) -> list[tuple[int, HeapTuple]]:
        """A catalog's file as a backup has it."""
        return [
            (number // 100, HeapTuple(number % 100 + 1, values))
            for number, values in enumerate(self.pages.get(relation, ()))
        ]

    def put(
        self, relation: Relation, oid: int, values: bytes | None, xid: int, spelling: Spelling
    ) -> None:
        """Insert, update or (None) delete the row of an OID."""
        old = self.rows.pop((relation, oid), None)
        change = RowChange(self._next(), xid, relation, "delete", (0, 0), (0, 0))
        if old is not None:
            change = change._replace(old=_place(old[0]))
        if values is None:
            self.written.append(change)
            return
        tuples = self.pages.setdefault(relation, [])
        tuples.append(values)
        number = len(tuples) - 1
        self.rows[relation, oid] = number, values
        change = change._replace(kind="update" if old else "insert", new=_place(number))
        if spelling == "image":
            block = change.new[0]
            page = tuple(found for at, found in self.loaded(relation) if at == block)
            self.written.append(PageSeen(change.lsn, relation, block, page))
        elif spelling == "short" and old is not None and old[1] != values:
            prefix, suffix = _common(old[1], values)
            middle = values[prefix : len(values) - suffix]
            change = change._replace(values=middle, prefix=prefix, suffix=suffix)
        else:
            change = change._replace(values=values)
        self.written.append(change)

    def _next(self) -> int:
        self.lsn += 0x100
        return self.lsn


def _place(number: int) -> tuple[int, int]:
    return number // 100, number % 100 + 1


def _common(old: bytes, new: bytes) -> tuple[int, int]:
    """How many bytes at the front and then at the end are the same."""
    least = min(len(old), len(new))
    prefix = next((at for at in range(least) if old[at] != new[at]), least)
    rest = least - prefix
    suffix = next((at for at in range(rest) if old[-1 - at] != new[-1 - at]), rest)
    return prefix, suffix
