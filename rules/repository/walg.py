"""What `wal-g backup-fetch` with wal-fetch, and barman-cloud's restore, do.

Both leave the end of the WAL to PostgreSQL. WAL-G's LATEST is the newest by the time at which the
sentinel was written, not by its position; barman-cloud-wal-restore gives a `.partial` where the
segment itself is absent.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from parsers.wal.scan import SegmentScan
from rules.model.facts import BackupFacts
from rules.model.repository import ListedBackup
from rules.model.target import TargetFacts
from rules.recovery.prediction import predict_target
from rules.repository.tool_view import ToolView

_NEVER: Final = datetime.fromtimestamp(0, UTC)


def choose(view: ToolView) -> str | TargetFacts:
    """The newest backup; of two that a store dates in one second, the one that ended later."""
    listed = [each for repository in view.read.repositories for each in repository.backups]
    usable = [each for each in listed if each.refused is None]
    if not usable:
        return view.refusal("no backups found")
    return max(usable, key=_when).label


def _when(backup: ListedBackup) -> tuple[datetime, datetime]:
    finished_at = backup.finished_at or _NEVER
    return backup.written_at or finished_at, finished_at


def predict(view: ToolView, backup: BackupFacts) -> TargetFacts:
    """What its restore of one backup comes to."""
    return predict_target(view.target, view.goal, [view.restores[backup.url]], view.note)


def predict_with_partials(view: ToolView, backup: BackupFacts) -> TargetFacts:
    """The same for barman-cloud."""
    restore = view.restores[backup.url]
    wal = restore.wal
    read, partial = wal.archived, wal.partial
    names = {*wal.names, *wal.partials}
    if len(names) == len(wal.names):
        return predict(view, backup)

    def archived(name: str) -> SegmentScan | None:
        return read(name) or partial(name)

    whole = replace(wal, names=names, newest=None, archived=archived)
    return predict_target(view.target, view.goal, [replace(restore, wal=whole)], view.note)
