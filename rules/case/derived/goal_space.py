"""What of an archive the window that is wanted needs, and what it does not."""

from __future__ import annotations

from datetime import timedelta

from parsers.values import dataclass
from rules.case.context import Context
from rules.case.derived.listing import Identity
from rules.case.engine import derived
from rules.model.facts import ArchiveFacts, BackupFacts, BackupsFacts
from rules.model.timelines import TimelineTree
from rules.retention.plan import files_of, find_needs, keep_back_to, make_plan


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalSpace:
    """By the listing; its instant is the one that the window reaches back from."""

    held_bytes: int  # of WAL, as it is stored
    stored_share: float  # of a byte of WAL: less than 1 where segments are compressed
    # Of WAL, and of backups as their manifests list them. None: no window is wanted, or a backup
    # could not be read, which may need the oldest WAL.
    obsolete_bytes: int | None


@derived(slow=True)
def goal_space(
    archive: ArchiveFacts,
    backups: BackupsFacts | None,
    tree: TimelineTree,
    identity: Identity,
    context: Context,
) -> GoalSpace | None:
    size, wanted = identity.segment_size_bytes, context.objectives.window_seconds
    if size is None:
        return None
    held = sum(file.size_bytes for file in archive.segments.values())
    held += sum(file.size_bytes for copies in archive.copies.values() for file in copies)
    obsolete = None
    if wanted is not None and backups is not None and not (backups.unreadable or backups.changing):
        since = archive.listed_at - timedelta(seconds=wanted)
        needs = find_needs(backups.backups, tree, archive.histories)
        if not any(need.parent_missing for need in needs):
            needs = keep_back_to(needs, since)
            plan = make_plan(needs, archive, tree, size)
            wal = files_of(archive, (*plan.cleanup, *plan.beside))
            old = [need.backup for need in needs if not need.kept]
            obsolete = sum(file.size_bytes for file in wal) + sum(map(_bytes_of, old))
    return GoalSpace(
        held_bytes=held,
        stored_share=held / (size * len(archive.segments)) if archive.segments else 1.0,
        obsolete_bytes=obsolete,
    )


def _bytes_of(backup: BackupFacts) -> int:
    return backup.size_bytes or 0
