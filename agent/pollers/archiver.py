"""pg_stat_archiver: what the archiver says of itself. Readable by everybody."""

from __future__ import annotations

from typing import Any, Final

from psycopg import Connection
from psycopg.rows import class_row

from rules.model.facts import ArchiverFacts

_QUERY: Final = """
SELECT archived_count, last_archived_wal, last_archived_time AS last_archived_at,
       failed_count, last_failed_wal, last_failed_time AS last_failed_at,
       stats_reset AS stats_reset_at
  FROM pg_catalog.pg_stat_archiver
"""


def poll_archiver(connection: Connection[Any]) -> ArchiverFacts:
    """Take one reading."""
    with connection.cursor(row_factory=class_row(ArchiverFacts)) as cursor:
        cursor.execute(_QUERY)
        row = cursor.fetchone()
    assert row is not None, "pg_stat_archiver always has one row"
    return row
