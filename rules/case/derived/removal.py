"""What each backup reaches with all segments, and without those that are to be deleted."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from rules.case.derived.listing import Identity
from rules.case.engine import derived
from rules.case.observations import ProposedRemoval
from rules.model.facts import ArchiveFacts, BackupFacts, BackupsFacts
from rules.model.restore_inputs import RestoreInputs, RestoreInputsFacts, without_segments
from rules.model.timelines import TimelineTree
from rules.model.windows import RemovalFacts, Window, find_reaches, window_of
from rules.recovery.prediction import predict_windows

Windows = tuple[Window, ...] | None


@derived(slow=True)
def removal(
    proposed: ProposedRemoval,
    archive: ArchiveFacts,
    backups: BackupsFacts,
    tree: TimelineTree,
    identity: Identity,
    restores: RestoreInputsFacts | None,
) -> RemovalFacts | None:
    """By the predictor where records were read.

    An incremental backup is taken as it will be when it is combined with its chain.
    """
    size = identity.segment_size_bytes
    if size is None:
        return None
    opened = restores.by_backup if restores else {}
    names, left = archive.segments.keys(), archive.segments.keys() - proposed.segments
    found: dict[str, tuple[Windows, Windows]] = {}
    for backup in backups.backups:
        if backup.url not in proposed.kept:
            continue
        if (restore := opened.get(backup.url)) is not None:
            whole = _combined(restore)
            lacking = without_segments(whole, proposed.segments)
            found[backup.url] = (predict_windows(whole, tree), predict_windows(lacking, tree))
        else:
            before, after = (_listed(backup, tree, each, size) for each in (names, left))
            found[backup.url] = (before, after)
    return RemovalFacts(by_backup=found)


def _combined(restore: RestoreInputs) -> RestoreInputs:
    label = replace(restore.backup.label, incremental_from_lsn=None, incremental_from_timeline=None)
    return replace(restore, backup=replace(restore.backup, label=label))


def _listed(
    backup: BackupFacts, tree: TimelineTree, names: Collection[str], size: int
) -> tuple[Window, ...]:
    reaches = find_reaches(backup, tree, set(names) | backup.wal, size)
    return tuple(window for reach in reaches if (window := window_of(backup, reach)))
