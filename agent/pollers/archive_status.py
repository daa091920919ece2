"""pg_ls_archive_statusdir(): the .ready and .done files. Needs pg_monitor.

The time of a .ready file is when its segment was completed, so the oldest one's age is the
archiving lag.
"""

from __future__ import annotations

from typing import Any, Final

from psycopg import Connection

from rules.model.facts import ArchiveStatusFacts

_QUERY: Final = """
SELECT name, modification
  FROM pg_catalog.pg_ls_archive_statusdir()
 WHERE name LIKE '%.ready' OR name LIKE '%.done'
 UNION ALL
SELECT '', clock_timestamp()
"""


def poll_archive_status(connection: Connection[Any]) -> ArchiveStatusFacts:
    """Take one reading."""
    cursor = connection.execute(_QUERY)
    *rows, (_, listed_at) = sorted(cursor.fetchall(), key=lambda row: row[0] == "")
    ready = {name.removesuffix(".ready"): at for name, at in rows if name.endswith(".ready")}
    oldest = min(ready, key=lambda name: (ready[name], name), default=None)
    return ArchiveStatusFacts(
        ready=frozenset(ready),
        done=frozenset(name.removesuffix(".done") for name, _ in rows if name.endswith(".done")),
        listed_at=listed_at,
        oldest_ready_at=ready[oldest] if oldest else None,
        oldest_ready=oldest,
    )
