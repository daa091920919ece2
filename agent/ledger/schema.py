"""The ledger's tables, and how a file is recognised as a ledger of ours."""

from __future__ import annotations

import sqlite3
from typing import Final

from parsers.sentences import tr

# PRAGMA application_id: "PITR". PRAGMA user_version: the layout of the tables.
APPLICATION_ID: Final = 0x50495452
SCHEMA_VERSION: Final = 1

# `files` is small and read whole at every start; what a scan said lies apart from it. `runs` are
# stretches of segments joined, by their first file; `members` names the rows that they are made of.
TABLES: Final = {
    "directories": "CREATE TABLE directories (id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE)",
    "files": """CREATE TABLE files (
 id INTEGER PRIMARY KEY AUTOINCREMENT, directory INTEGER NOT NULL, name TEXT NOT NULL,
 depth TEXT NOT NULL, segment_size INTEGER NOT NULL, format BLOB NOT NULL,
 size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,
 read_at INTEGER NOT NULL, digest BLOB NOT NULL, sound INTEGER NOT NULL,
 changed_digest BLOB, changed_read_at INTEGER, checksum INTEGER NOT NULL,
 UNIQUE (directory, name, depth))""",
    "scans": """CREATE TABLE scans (
 id INTEGER PRIMARY KEY, scan BLOB NOT NULL, transactions BLOB NOT NULL)""",
    "runs": """CREATE TABLE runs (
 directory INTEGER NOT NULL, name TEXT NOT NULL, members BLOB NOT NULL,
 scan BLOB NOT NULL, summary BLOB NOT NULL, checksum INTEGER NOT NULL,
 PRIMARY KEY (directory, name))""",
}


class NotALedger(Exception):
    """A file that this release cannot use as its ledger. One line for a person."""


def prepare(connection: sqlite3.Connection) -> None:
    """Make an empty file a ledger, and an older ledger a new one. Raises NotALedger.

    An older layout is emptied: a cache is filled again sooner than it is converted.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    found = _tables(connection)
    if application == APPLICATION_ID and version == SCHEMA_VERSION and found == TABLES:
        return
    if found and application != APPLICATION_ID:
        raise NotALedger(tr("an SQLite database, but no ledger"))
    if version > SCHEMA_VERSION:
        raise NotALedger(
            tr(
                "written by a newer release (layout {version}, not {ours})",
                version=version,
                ours=SCHEMA_VERSION,
            )
        )
    _remake(connection)


def _tables(connection: sqlite3.Connection) -> dict[str, str]:
    """Everything in the file but what SQLite keeps for itself: also views and triggers."""
    query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
    return dict(connection.execute(query).fetchall())


def _remake(connection: sqlite3.Connection) -> None:
    """Drop what is there and make the tables, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    if _tables(connection) != TABLES:  # another process may have been faster
        kinds = "SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
        for kind, name in connection.execute(kinds).fetchall():
            quoted = name.replace('"', '""')
            connection.execute(f'DROP {kind} IF EXISTS "{quoted}"')
        for statement in TABLES.values():
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")
