"""pg_control_system(), _checkpoint() and _init(): the control file, by SQL.

They read the file, so they are as old as its last write. Readable by everybody.
"""

from __future__ import annotations

from typing import Any, Final

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg.sql import SQL

from parsers.files.pg_control import CHECKSUMS_ON
from rules.model.facts import ControlFacts

# Since which major which function says whether they are on: from 19 on they are switched while the
# server runs, and pg_control_init() shows initdb's choice.
CHECKSUMS_BY_MAJOR: Final = {13: "i", 19: "c"}
_QUERY: Final = """
SELECT s.system_identifier, i.bytes_per_wal_segment, {checksums}.data_page_checksum_version,
       c.timeline_id
  FROM pg_catalog.pg_control_system() s, pg_catalog.pg_control_init() i,
       pg_catalog.pg_control_checkpoint() c
"""


def poll_control(connection: Connection[Any]) -> ControlFacts:
    """Take one reading."""
    major = connection.info.server_version // 10_000
    checksums = CHECKSUMS_BY_MAJOR[max(since for since in CHECKSUMS_BY_MAJOR if since <= major)]
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(SQL(_QUERY).format(checksums=SQL(checksums)))
        row = cursor.fetchone()
    assert row is not None, "each of the functions gives one row"
    return ControlFacts(
        system_identifier=row["system_identifier"] & 0xFFFF_FFFF_FFFF_FFFF,
        segment_size_bytes=row["bytes_per_wal_segment"],
        timeline=row["timeline_id"],
        data_checksums=_are_on(row["data_page_checksum_version"]),
    )


def _are_on(version: int) -> bool | None:
    """Neither on nor off while they are being switched: 2 and 3, from 19 on."""
    return None if version > CHECKSUMS_ON else version == CHECKSUMS_ON
