"""pg_settings of recovery, archiving and WAL, and the few others that a restore depends on.

primary_conninfo is left out on purpose: it may hold a password.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import kwargs_row

from rules.model.facts import Setting, SettingsFacts

# %% is one % for the server: psycopg reads a single one as a placeholder.
_QUERY: Final = """
SELECT name, setting
  FROM pg_catalog.pg_settings
 WHERE name ILIKE '%%recov%%' OR name ILIKE '%%archive%%' OR name ILIKE '%%wal%%'
    OR name = ANY (%s)
"""

# Compared by recovery with what the WAL says, or needed to read the server's log.
_FURTHER: Final = [
    "data_checksums", "data_directory", "fsync", "full_page_writes", "hot_standby",
    "lc_messages", "log_destination", "log_directory", "log_filename", "log_line_prefix",
    "log_timezone", "logging_collector", "max_connections", "max_locks_per_transaction",
    "max_prepared_transactions", "max_worker_processes", "restore_command", "TimeZone",
]  # fmt: skip

# Most servers have most settings alike: what many clusters have in common is kept once.
_setting: Final = lru_cache(maxsize=1 << 10)(Setting)


def poll_settings(connection: Connection[Any]) -> SettingsFacts:
    """Take one reading."""
    with connection.cursor(row_factory=kwargs_row(_setting)) as cursor:
        cursor.execute(_QUERY, (_FURTHER,))
        rows = cursor.fetchall()
    return SettingsFacts(settings={row.name: row for row in rows})
