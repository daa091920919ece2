"""The catalogs that name things, from the files of a base backup or from a running server.

In a backup a database's own catalogs lie in base/OID, those of the whole cluster in global/.
pg_filenode.map places pg_class and pg_database; pg_class places pg_namespace.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final

from agent.archive.tar import BrokenTar, read_members
from agent.backups.tar import base_tar
from agent.repositories.repository import BackupFiles
from agent.store.paths import AnyPath, entries_of, read_path
from parsers.errors import ParseError
from parsers.wal.facts import Relation
from parsers.wal.heap_page import read_relation
from parsers.wal.pg_catalog import Catalog, ClassRow, read_class_row, read_filenode_map
from rules.events.catalog_rows import CatalogRows, Place

_LIMIT_BYTES: Final = 1 << 30  # of one file of a relation
_DEFAULT_SPACE: Final = 1663
_GLOBAL_SPACE: Final = 1664
_MAP: Final = "pg_filenode.map"
_IN_TAR: Final = re.compile(
    r"(?:base/\d+/(?:1259|2615)|global/1262|(?:base/\d+|global)/pg_filenode\.map)\Z"
)


class PlainFiles:
    """The files of a backup in a directory."""

    def __init__(self, backup: AnyPath) -> None:
        self._backup = backup

    def databases(self) -> list[int]:
        try:
            return sorted(
                int(path.name) for path in entries_of(self._backup / "base") if path.name.isdigit()
            )
        except OSError:
            return []

    def read(self, path: str) -> bytes | None:
        try:
            return read_path(self._backup / path, _LIMIT_BYTES)
        except OSError:
            return None


class TarFiles:
    """The same of a base.tar. Catalogs that were rewritten (VACUUM FULL) are not looked for."""

    def __init__(self, tar: AnyPath) -> None:
        self._found: dict[str, bytes] = {}
        left = _LIMIT_BYTES  # of all of them
        with suppress(OSError, BrokenTar):
            for member in read_members(str(tar)):
                match = _IN_TAR.search(member.name)
                if match is None or match[0] in self._found:
                    continue
                left -= member.size_bytes
                if left >= 0:
                    self._found[match[0]] = member.read()

    def databases(self) -> list[int]:
        return sorted({int(path.split("/")[1]) for path in self._found if path[:5] == "base/"})

    def read(self, path: str) -> bytes | None:
        return self._found.get(path)


def files_of(backup: AnyPath) -> BackupFiles:
    """The files of a backup, plain or tar."""
    if (backup / "global").is_dir():
        return PlainFiles(backup)
    return TarFiles(base_tar(backup) or backup)


def load_catalogs(files: BackupFiles, major: int) -> CatalogRows:
    """What a backup's catalogs hold; nothing of a database whose files cannot be read."""
    places: dict[Place, Catalog] = {}
    contents: list[tuple[Relation, bytes]] = []
    for database, relation, catalog, data in _catalog_files(files, major):
        if relation.number != catalog:
            places[database, relation.number] = catalog
        contents.append((relation, data))
    rows = CatalogRows(major=major, places=places)
    for relation, data in contents:
        rows.load(relation, read_relation(data))
    return rows


def _catalog_files(
    files: BackupFiles, major: int
) -> Iterator[tuple[int, Relation, Catalog, bytes]]:
    """(database, file, which catalog it is, its content)."""
    shared = _map(files, "global")
    yield from _file(files, 0, Catalog.PG_DATABASE, shared.get(Catalog.PG_DATABASE, 1262))
    for database in files.databases():
        mapped = _map(files, f"base/{database}")
        number = mapped.get(Catalog.PG_CLASS, int(Catalog.PG_CLASS))
        for found in _file(files, database, Catalog.PG_CLASS, number):
            yield found
            schemas = _file_of(Catalog.PG_NAMESPACE, found[3], major)
            yield from _file(files, database, Catalog.PG_NAMESPACE, schemas)


def _map(files: BackupFiles, directory: str) -> Mapping[int, int]:
    data = files.read(f"{directory}/{_MAP}")
    try:
        return read_filenode_map(data) if data is not None else {}
    except ParseError:
        return {}


def _file(
    files: BackupFiles, database: int, catalog: Catalog, number: int
) -> Iterator[tuple[int, Relation, Catalog, bytes]]:
    data = files.read(f"base/{database}/{number}" if database else f"global/{number}")
    if data is not None:
        space = _DEFAULT_SPACE if database else _GLOBAL_SPACE
        yield database, Relation(space, database, number), catalog, data


def _file_of(catalog: Catalog, pg_class: bytes, major: int) -> int:
    """Where pg_class says that another catalog lies."""
    for _, found in read_relation(pg_class):
        row = read_class_row(found.values, major)
        if row is not None and row.oid == catalog and row.filenode:
            return row.filenode
    return int(catalog)


# -- a running server ------------------------------------------------------------------------------

_CLASSES: Final = (
    "SELECT oid::bigint, relname::text, relnamespace::bigint, pg_relation_filenode(oid)::bigint,"
    " reltablespace::bigint, relkind::text FROM pg_class"
)


def add_from_server(rows: CatalogRows, dsn: str) -> str:
    """Add the names that a running server has now; give the database that was asked.

    Raises psycopg.Error. What was dropped is in no catalog any more: this names what still is.
    """
    import psycopg

    with psycopg.connect(dsn, connect_timeout=10) as connection:
        row = connection.execute(
            "SELECT d.oid::bigint, d.datname::text FROM pg_database d"
            " WHERE datname = current_database()"
        ).fetchone()
        assert row is not None
        database, name = row
        found = connection.execute(_CLASSES).fetchall()
        rows.name_files(database, (ClassRow(*each) for each in found if each[3]))
        for query, place in (
            ("SELECT oid::bigint, nspname::text FROM pg_namespace", (database, 2615)),
            ("SELECT oid::bigint, datname::text FROM pg_database", (0, 1262)),
        ):
            rows.name_all(place, dict(connection.execute(query).fetchall()))
    return str(name)
