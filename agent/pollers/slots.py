"""pg_replication_slots: what keeps WAL in pg_wal besides the archiver. Readable by everybody."""

from __future__ import annotations

from typing import Any, Final, LiteralString

from psycopg import Connection
from psycopg.sql import SQL

from parsers.lsn import parse_lsn
from rules.model.facts import Slot, SlotsFacts

# A row also where there is no slot: the clock is read with them.
_QUERY: Final[LiteralString] = """
SELECT clock_timestamp(), slot_name, active, restart_lsn::text, wal_status, {inactive_since}
  FROM (SELECT 1) AS one LEFT JOIN pg_catalog.pg_replication_slots ON true
 ORDER BY slot_name
"""
_INACTIVE_SINCE_FROM: Final = 170_000


def poll_slots(connection: Connection[Any]) -> SlotsFacts:
    """Take one reading."""
    tells = connection.info.server_version >= _INACTIVE_SINCE_FROM
    since = SQL("inactive_since" if tells else "NULL::timestamptz")
    rows = connection.execute(SQL(_QUERY).format(inactive_since=since)).fetchall()
    return SlotsFacts(
        read_at=rows[0][0],
        slots=tuple(
            Slot(
                name=name,
                active=active,
                restart_lsn=parse_lsn(lsn) if lsn else None,
                wal_status=status,
                inactive_since=inactive_since,
            )
            for _, name, active, lsn, status, inactive_since in rows
            if name is not None
        ),
    )
