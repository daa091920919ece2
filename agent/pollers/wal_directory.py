"""pg_ls_waldir(): how much WAL the server keeps. Needs pg_monitor."""

from __future__ import annotations

from typing import Any, Final

from psycopg import Connection
from psycopg.rows import class_row

from rules.model.facts import WalDirectoryFacts

_QUERY: Final = """
SELECT coalesce(sum(size), 0)::int8 AS size_bytes
  FROM pg_catalog.pg_ls_waldir()
"""


def poll_wal_directory(connection: Connection[Any]) -> WalDirectoryFacts:
    """Take one reading."""
    with connection.cursor(row_factory=class_row(WalDirectoryFacts)) as cursor:
        cursor.execute(_QUERY)
        row = cursor.fetchone()
    assert row is not None, "an aggregate always has one row"
    return row
