"""The file system of pg_wal, when the server is on the agent's own host and lets it look.

A connection through a Unix socket is the proof that the host is the same. No SQL function tells
how much room is left; a remote server's is not known.
"""

from __future__ import annotations

import os
from typing import Any

from psycopg import Connection

from rules.model.facts import WalVolumeFacts


def poll_wal_volume(connection: Connection[Any]) -> WalVolumeFacts:
    """Take one reading; sizes are None when the volume cannot be seen from here."""
    row = connection.execute("SELECT current_setting('data_directory', true)").fetchone()
    directory = f"{row[0]}/pg_wal" if row and row[0] else None
    size, free = None, None
    if directory is not None and connection.info.host.startswith(("/", "@")):
        size, free = _room_in(directory)
    return WalVolumeFacts(directory=directory, size_bytes=size, free_bytes=free)


def _room_in(directory: str) -> tuple[int | None, int | None]:
    try:
        volume = os.statvfs(directory)
    except OSError:
        return None, None
    return volume.f_blocks * volume.f_frsize, volume.f_bavail * volume.f_frsize
