"""Where the server writes or replays its WAL, and whether it is in recovery.

The timeline of the insert position comes from pg_walfile_name(): pg_control_checkpoint() still
shows the old one just after a promotion. That function fails in recovery, where no SQL function
tells the timeline.
"""

from __future__ import annotations

from typing import Any, Final, LiteralString

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg.sql import SQL

from parsers.lsn import parse_lsn
from rules.model.facts import PositionFacts

_QUERY: Final[LiteralString] = """
  WITH recovery AS MATERIALIZED (SELECT pg_catalog.pg_is_in_recovery() AS in_recovery)
SELECT current_setting('server_version_num')::int AS server_version_num,
       clock_timestamp() AS server_at,
       pg_catalog.pg_postmaster_start_time() AS started_at,
       in_recovery,
       CASE WHEN NOT in_recovery
            THEN pg_catalog.pg_current_snapshot()::text END AS snapshot,
       CASE WHEN NOT in_recovery
            THEN pg_catalog.pg_current_wal_insert_lsn()::text END AS insert_lsn,
       CASE WHEN NOT in_recovery
            THEN pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()) END AS wal_file,
       {replay}
"""
_REPLAY: Final[LiteralString] = """
       CASE WHEN in_recovery THEN pg_catalog.pg_last_wal_replay_lsn()::text END AS replay_lsn,
       CASE WHEN in_recovery THEN pg_catalog.pg_last_xact_replay_timestamp() END AS last_replay_at,
       CASE WHEN in_recovery THEN pg_catalog.pg_is_wal_replay_paused() END AS replay_paused
  FROM recovery
"""
# From 19 on: all of one instant. A role without pg_read_all_stats gets no row.
_REPLAY_FROM_19: Final[LiteralString] = """
       CASE WHEN in_recovery THEN coalesce(
            r.last_replayed_end_lsn, pg_catalog.pg_last_wal_replay_lsn())::text END AS replay_lsn,
       CASE WHEN in_recovery THEN CASE WHEN r.last_replayed_end_lsn IS NOT NULL
            THEN r.recovery_last_xact_time
            ELSE pg_catalog.pg_last_xact_replay_timestamp() END END AS last_replay_at,
       CASE WHEN in_recovery THEN coalesce(
            r.pause_state <> 'not paused', pg_catalog.pg_is_wal_replay_paused()
            ) END AS replay_paused
  FROM recovery LEFT JOIN pg_catalog.pg_stat_recovery r ON in_recovery
"""


def poll_positions(connection: Connection[Any]) -> PositionFacts:
    """Take one reading."""
    from_19 = connection.info.server_version >= 190_000
    query = SQL(_QUERY).format(replay=SQL(_REPLAY_FROM_19 if from_19 else _REPLAY))
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(query)
        row = cursor.fetchone()
    assert row is not None, "the query gives one row"
    insert_lsn, replay_lsn, wal_file = row["insert_lsn"], row["replay_lsn"], row["wal_file"]
    return PositionFacts(
        server_version_num=row["server_version_num"],
        server_at=row["server_at"],
        in_recovery=row["in_recovery"],
        timeline=int(wal_file[:8], 16) if wal_file else None,
        insert_lsn=parse_lsn(insert_lsn) if insert_lsn else None,
        snapshot=row["snapshot"],
        replay_lsn=parse_lsn(replay_lsn) if replay_lsn else None,
        last_replay_at=row["last_replay_at"],
        replay_paused=row["replay_paused"],
        started_at=row["started_at"],
    )
