"""Since when the agent knows of each base backup: by its own observation, on a clock never set.

The last segment of a backup is on its way to the archive when the backup is found: what a listing
lacks that was begun before, or a moment after, may have come since.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import monotonic

from rules.model.facts import BackupFacts, BackupsFacts

_Key = tuple[object, ...]


class KnownBackups:
    """When each backup was first seen, with the end that it has."""

    def __init__(self) -> None:
        self._since: dict[_Key, float] | None = None  # monotonic; None: nothing was read yet

    def date(self, found: BackupsFacts) -> BackupsFacts:
        """Put our own instants in the place of those of the files.

        The files' are taken for what was there before the agent: their clock may be another.
        """
        now, ticks = datetime.now(UTC), monotonic()
        before, self._since = self._since, {}
        backups: list[BackupFacts] = []
        for backup in found.backups:
            key = (backup.url, backup.label.start_lsn, backup.label.timeline, backup.stop_lsn)
            since = ticks if before is None else before.get(key, ticks)
            if before is None and backup.known_at is not None:
                since -= max(0.0, (now - backup.known_at).total_seconds())
            self._since[key] = since
            known_at = now - timedelta(seconds=ticks - since)
            backups.append(replace(backup, known_at=known_at))
        return replace(found, backups=tuple(backups))
