"""The time zone in which a restored server would read a time that is written without one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from zoneinfo import ZoneInfo

from agent.backups.describe import BackupDepth, NotABackup
from agent.backups.find import find_backups, read_any_backup
from agent.backups.settings import find_zone
from agent.backups.tar import is_tar_backup


def server_zone(backups: Sequence[str], below: str | None) -> tuple[ZoneInfo, str]:
    """The restored server's TimeZone, and where that was read.

    Asks the `backups` named, then those `below` a directory, the last in order of path first: the
    newest in a tree by date. UTC where none of them names a zone that this machine knows.
    """
    for path in _candidates(backups, below):
        with suppress(NotABackup, OSError):
            # In a tar the settings lie anywhere behind the label.
            depth: BackupDepth = "files" if is_tar_backup(path) else "label"
            settings = read_any_backup(path, depth).settings
            zone = find_zone((settings and settings.value("timezone")) or "")
            if settings and zone:
                return zone, f"TimeZone of {settings.read_from('timezone')}"
    return ZoneInfo("UTC"), "no TimeZone found in the backup's configuration"


def _candidates(backups: Sequence[str], below: str | None) -> Iterator[Path]:
    yield from map(Path, backups)
    if below is not None:
        with suppress(NotABackup):  # who looks for the backups themselves says why
            yield from sorted(find_backups(Path(below)), reverse=True)
