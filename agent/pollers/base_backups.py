"""pg_stat_progress_basebackup: base backups that are being taken. Needs pg_monitor."""

from __future__ import annotations

from typing import Any, Final

from psycopg import Connection

from rules.model.facts import RunningBackup, RunningBackupsFacts

# A row also where none is taken: the clock is read with them.
_QUERY: Final = """
SELECT clock_timestamp(), pid, phase, backup_total, backup_streamed
  FROM (SELECT 1) AS one LEFT JOIN pg_catalog.pg_stat_progress_basebackup ON true
 ORDER BY pid
"""


def poll_base_backups(connection: Connection[Any]) -> RunningBackupsFacts:
    """Take one reading."""
    rows = connection.execute(_QUERY).fetchall()
    return RunningBackupsFacts(
        read_at=rows[0][0],
        backups=tuple(
            RunningBackup(pid=pid, phase=phase, total_bytes=total, streamed_bytes=streamed)
            for _, pid, phase, total, streamed in rows
            if pid is not None
        ),
    )
