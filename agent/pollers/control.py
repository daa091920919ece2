"""pg_control_system(), _checkpoint(), _recovery() and _init(): the control file, by SQL.

They read the file, so they are as old as its last write. Readable by everybody.
"""

from __future__ import annotations

from typing import Any, Final

from psycopg import Connection
from psycopg.rows import dict_row

from parsers.lsn import parse_lsn
from rules.facts import ControlFacts

_QUERY: Final = """
SELECT s.system_identifier, s.pg_control_version, s.catalog_version_no,
       i.bytes_per_wal_segment, i.data_page_checksum_version,
       c.timeline_id, c.checkpoint_lsn::text, c.redo_lsn::text, c.checkpoint_time,
       c.full_page_writes,
       r.min_recovery_end_lsn::text, r.backup_start_lsn::text, r.backup_end_lsn::text
  FROM pg_catalog.pg_control_system() s, pg_catalog.pg_control_init() i,
       pg_catalog.pg_control_checkpoint() c, pg_catalog.pg_control_recovery() r
"""


def poll_control(connection: Connection[Any]) -> ControlFacts:
    """Take one reading."""
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(_QUERY)
        row = cursor.fetchone()
    assert row is not None, "each of the functions gives one row"
    return ControlFacts(
        system_identifier=row["system_identifier"] & 0xFFFF_FFFF_FFFF_FFFF,
        pg_control_version=row["pg_control_version"],
        catalog_version_no=row["catalog_version_no"],
        segment_size_bytes=row["bytes_per_wal_segment"],
        timeline=row["timeline_id"],
        checkpoint_lsn=parse_lsn(row["checkpoint_lsn"]),
        redo_lsn=parse_lsn(row["redo_lsn"]),
        checkpoint_at=row["checkpoint_time"],
        full_page_writes=row["full_page_writes"],
        min_recovery_end_lsn=parse_lsn(row["min_recovery_end_lsn"]) or None,
        backup_start_lsn=parse_lsn(row["backup_start_lsn"]) or None,
        backup_end_lsn=parse_lsn(row["backup_end_lsn"]) or None,
        data_checksums=row["data_page_checksum_version"] > 0,
    )
