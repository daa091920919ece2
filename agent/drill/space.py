"""Room on the disk of the scratch area: looked at before the drill, and all through it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from agent.drill.errors import CannotDrill
from parsers.sentences import tr
from parsers.values import dataclass

_RESERVE_BYTES: Final = 64 << 20  # left to the others on the same file system, whatever its size
_RESERVE_SHARE: Final = 0.01
_SERVER_BYTES: Final = 32 << 20  # what a server writes by itself: pg_wal, statistics, its log


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The file system of a directory, and what must stay free on it."""

    directory: Path
    reserve_bytes: int

    def require(self, needed_bytes: int, what: str) -> None:
        """Raise CannotDrill unless that many bytes can be written with the reserve left over."""
        free = shutil.disk_usage(self.directory).free
        if free - needed_bytes < self.reserve_bytes:
            raise CannotDrill(
                tr(
                    "not enough room under {directory}: {what} {needed}, free are {free}, of which "
                    "{reserve} stay for others: name a larger disk with --drill-directory",
                    directory=self.directory,
                    what=what,
                    needed=_mib(needed_bytes),
                    free=_mib(free),
                    reserve=_mib(self.reserve_bytes),
                )
            )


def room_in(directory: Path) -> Room:
    """The room of a directory's file system."""
    total = shutil.disk_usage(directory).total
    reserve = max(_RESERVE_BYTES, int(total * _RESERVE_SHARE))
    return Room(directory=directory, reserve_bytes=min(reserve, total // 4))


def needed_bytes(backup_bytes: int, wal_bytes: int, segment_bytes: int) -> int:
    """What a restore takes: the backup, the WAL between two restart points, the server's own."""
    return backup_bytes + min(wal_bytes, 64 * segment_bytes) + 4 * segment_bytes + _SERVER_BYTES


def _mib(count: int) -> str:
    return f"{(count + (1 << 20) - 1) >> 20} MiB"
