"""The catalogs' rows through time: which relation a transaction created, dropped or emptied.

Begins with what a backup's files hold, follows the changes in the WAL, row by row, and so knows the
name that a relation had when it went. Rows are kept by their place (block and line pointer), as the
WAL speaks of them; a place whose row was never seen is unknown, never guessed.

The names of schemas and databases follow commits only; a name given by a transaction that was
rolled back never counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Literal, NamedTuple

from parsers.values import dataclass
from parsers.wal.facts import Relation
from parsers.wal.heap_page import HeapTuple
from parsers.wal.journal import CatalogChange, PageSeen, RowChange
from parsers.wal.pg_catalog import (
    Catalog,
    ClassRow,
    is_invalid_database,
    read_class_row,
    read_named_row,
)

Action = Literal["created", "dropped", "truncated", "rewritten", "removed"]
Place = tuple[int, int]  # database, catalog's file number
_INDEXES = ("i", "I")


class RelationEvent(NamedTuple):
    """What happened to one relation, and how it was called until then."""

    action: Action  # removed: a file went away, of an unknown relation
    database: int
    filenode: int  # 0: it has no file
    row: ClassRow | None  # None: not known
    schema: str | None = None
    database_name: str | None = None


@dataclass(slots=True)
class _Open:
    """What a transaction has done so far."""

    events: list[RelationEvent] = field(default_factory=list)
    named: list[tuple[Place, int, str]] = field(default_factory=list)


@dataclass(slots=True)
class CatalogRows:
    """The state. Feed it a backup's rows, then changes in WAL order, then ask at each commit."""

    major: int
    places: Mapping[Place, Catalog] = field(default_factory=dict)  # files that were rewritten
    _rows: dict[tuple[Place, int, int], bytes] = field(default_factory=dict)
    _names: dict[tuple[Place, int], str] = field(default_factory=dict)  # (…, oid) -> name
    _files: dict[Place, ClassRow] = field(default_factory=dict)  # (database, filenode) -> row
    _open: dict[int, _Open] = field(default_factory=dict)
    invalid_from: dict[int, int] = field(default_factory=dict)  # database -> LSN: being dropped

    def catalog_of(self, relation: Relation) -> Catalog | None:
        """Which catalog a file is; None for another relation."""
        known = self.places.get((relation.database, relation.number))
        if known is None and relation.number in set(Catalog):
            return Catalog(relation.number)
        return known

    @property
    def files(self) -> frozenset[int]:
        """File numbers of the catalogs that are followed."""
        return frozenset({int(catalog) for catalog in Catalog} | {at[1] for at in self.places})

    @property
    def open_xids(self) -> set[int]:
        """Transactions that changed a row and have not ended, as far as was read."""
        return set(self._open)

    def load(self, relation: Relation, rows: Iterable[tuple[int, HeapTuple]]) -> None:
        """Take in a catalog's file as it lies in a backup: (page, tuple).

        A row that was updated may lie after the one that took its place: it counts for less.
        """
        for block, found in sorted(rows, key=lambda each: not each[1].deleted):
            self._see(relation, block, found, committed=True)

    def name_files(self, database: int, rows: Iterable[ClassRow]) -> None:
        """Take in what a running server says: for files that no row seen so far names."""
        for row in rows:
            self._files.setdefault((database, row.filenode), row)

    def name_all(self, place: Place, names: Mapping[int, str]) -> None:
        """The same of schemas or databases, by OID."""
        for oid, name in names.items():
            self._names.setdefault((place, oid), name)

    def apply(self, change: CatalogChange) -> None:
        """Follow one change."""
        if isinstance(change, PageSeen):
            for found in change.tuples:
                self._see(change.relation, change.block, found, committed=False)
            return
        place = (change.relation.database, change.relation.number)
        before = self._rows.get((place, *change.old)) if change.kind != "insert" else None
        after = self._row_after(place, change, before)
        if after is not None:
            self._rows[(place, *change.new)] = after
        catalog = self.catalog_of(change.relation)
        if change.kind == "inplace":
            self._overwritten(catalog, after, change.lsn)
            return
        doing = self._open.setdefault(change.xid, _Open())
        if catalog is Catalog.PG_CLASS:
            self._class_changed(place[0], before, after, change.kind, doing)
        elif after is not None and (row := read_named_row(after)):
            doing.named.append((place, row.oid, row.name))

    def end(self, xids: Iterable[int], *, committed: bool) -> list[RelationEvent]:
        """Forget transactions that ended; what a commit's did, in order, without its own passing
        tables."""
        done = [self._open.pop(xid) for xid in xids if xid in self._open]
        if not committed:
            return []
        events = [self.name(event) for each in done for event in each.events]
        for each in done:
            for place, oid, name in each.named:
                self._names[place, oid] = name
        return [self.name(event) for event in _settle(events)]

    def name(self, event: RelationEvent) -> RelationEvent:
        """Add the names of the schema and the database as they are now, where none is known."""
        schema = event.schema
        if schema is None and event.row is not None:
            schema = self._name(event.database, Catalog.PG_NAMESPACE, event.row.namespace)
        base = event.database_name or self.database_name(event.database)
        return event._replace(schema=schema, database_name=base)

    def row_of_file(self, database: int, filenode: int) -> ClassRow | None:
        return self._files.get((database, filenode))

    def database_name(self, database: int) -> str | None:
        return self._name(0, Catalog.PG_DATABASE, database)

    # -- how -------------------------------------------------------------------------------------

    def _name(self, database: int, catalog: Catalog, oid: int) -> str | None:
        for place in self._places_of(database, catalog):
            name = self._names.get((place, oid))
            if name is not None:
                return name
        return None

    def _places_of(self, database: int, catalog: Catalog) -> list[Place]:
        moved = [at for at, what in self.places.items() if at[0] == database and what is catalog]
        return [*moved, (database, int(catalog))]

    def _see(self, relation: Relation, block: int, found: HeapTuple, *, committed: bool) -> None:
        place = (relation.database, relation.number)
        self._rows[place, block, found.offset] = found.values
        catalog = self.catalog_of(relation)
        if catalog is Catalog.PG_CLASS:
            self._note_file(place[0], read_class_row(found.values, self.major))
        elif row := read_named_row(found.values):
            if committed:
                self._names[place, row.oid] = row.name
            else:
                self._names.setdefault((place, row.oid), row.name)

    def _note_file(self, database: int, row: ClassRow | None) -> None:
        if row is not None and row.filenode:
            self._files[database, row.filenode] = row

    def _row_after(self, place: Place, change: RowChange, before: bytes | None) -> bytes | None:
        """The row that comes, put together with what it takes from the one that goes."""
        if change.kind == "delete":
            return None
        if change.values is None:
            return self._rows.get((place, *change.new))
        if not change.prefix and not change.suffix:
            return change.values
        if before is None:
            self._rows.pop((place, *change.new), None)
            return None
        end = before[len(before) - change.suffix :] if change.suffix else b""
        return before[: change.prefix] + change.values + end

    def _overwritten(self, catalog: Catalog | None, after: bytes | None, lsn: int) -> None:
        if catalog is Catalog.PG_DATABASE and after and is_invalid_database(after, self.major):
            row = read_named_row(after)
            if row is not None:
                self.invalid_from.setdefault(row.oid, lsn)

    def _class_changed(
        self, database: int, before: bytes | None, after: bytes | None, kind: str, doing: _Open
    ) -> None:
        was = read_class_row(before, self.major) if before else None
        is_now = read_class_row(after, self.major) if after else None
        self._note_file(database, is_now)
        if kind == "insert" and is_now:
            doing.events.append(RelationEvent("created", database, is_now.filenode, is_now))
        elif kind == "delete":
            filenode = was.filenode if was else 0
            doing.events.append(RelationEvent("dropped", database, filenode, was))
        elif was and is_now and was.filenode != is_now.filenode and was.filenode:
            action: Action = "rewritten" if was.kind in _INDEXES else "truncated"
            doing.events.append(RelationEvent(action, database, was.filenode, was))


def _settle(events: list[RelationEvent]) -> list[RelationEvent]:
    """Leave out what came and went within the transaction; tell a rewriting from a truncation.

    VACUUM FULL, CLUSTER, ALTER TABLE and REFRESH make a table pg_temp_OID, fill it, swap the files
    and drop it (make_new_heap in src/backend/commands/cluster.c); TRUNCATE makes none, also in a
    transaction that rewrites the table before or after it.
    """
    rows = [(e.action, e.database, e.row) for e in events if e.row]
    created = {(base, row.oid) for action, base, row in rows if action == "created"}
    dropped = {(base, row.oid) for action, base, row in rows if action == "dropped"}
    filled: set[tuple[int, str]] = set()  # made, and not swapped yet
    kept: list[RelationEvent] = []
    for event in events:
        row = event.row
        if row and event.action == "created":
            filled.add((event.database, row.name))
        if row and event.action == "truncated":
            swap = event.database, f"pg_temp_{row.oid}"
            if swap in filled or row.kind == "t":
                event = event._replace(action="rewritten")
            filled.discard(swap)
        key = (event.database, row.oid) if row else None
        if key not in created or (event.action == "created" and key not in dropped):
            kept.append(event)
    return kept
