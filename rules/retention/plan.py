"""What each base backup still needs of an archive, what nothing needs, and what a deletion costs.

A backup needs WAL from its start on, on every timeline whose path passes through it (the manual's
"Continuous Archiving"; rules.model.timelines), and the history files that recovery may ask for:
those from its own timeline to the newest one that it can reach, without a hole, because the server
looks for them one by one. An incremental backup needs the backups that it is built on, not their
WAL (pg_combinebackup keeps the label of the last).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from parsers.segment import segment_of
from parsers.values import dataclass
from rules.model.facts import ArchivedFile, ArchiveFacts, BackupFacts, StoredBackup
from rules.model.timelines import TimelineTree
from rules.model.windows import RemovalFacts, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What one backup needs."""

    backup: BackupFacts
    oldest_segment: str  # of its own timeline; older ones it does not need
    timelines: tuple[int, ...]  # that recovery from it can reach
    histories: tuple[int, ...]  # files that are there and must stay
    parents: tuple[str, ...]  # urls of the backups that it is built on, the full one first
    parent_missing: bool  # the chain does not begin with a full backup that was found
    kept: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPlan:
    """The answer for one archive."""

    needs: tuple[Need, ...]  # oldest first
    oldest_segment: str | None  # what pg_archivecleanup is told to keep; None: no backup is kept
    cleanup: tuple[str, ...]  # segments that it would remove, oldest first
    beside: tuple[str, ...]  # not older, but on timelines that no backup kept can reach
    histories: tuple[int, ...]  # that nothing kept needs


def find_needs(
    backups: Sequence[BackupFacts], tree: TimelineTree, histories: Collection[int]
) -> list[Need]:
    """By backup, in the order given."""
    by_start = {(b.label.start_lsn, b.label.timeline): b for b in backups}
    by_name = {(b.stored.repository, b.stored.label): b for b in backups if b.stored}
    needs = []
    for backup in backups:
        stored = backup.stored
        chain = _stored_chain(stored, by_name) if stored else _chain(backup, by_start)
        needs.append(_need(backup, chain, tree, histories))
    return needs


def _need(
    backup: BackupFacts,
    chain: tuple[list[BackupFacts], bool],
    tree: TimelineTree,
    histories: Collection[int],
) -> Need:
    label = backup.label
    reached = [t for t in tree.timelines if tree.reaches(t, label.timeline, label.checkpoint_lsn)]
    newest = max(reached, default=label.timeline)
    parents, complete = chain
    return Need(
        backup=backup,
        oldest_segment=label.start_segment,
        timelines=tuple(reached),
        histories=tuple(t for t in sorted(histories) if label.timeline <= t <= newest),
        parents=tuple(parent.url for parent in parents),
        parent_missing=not complete,
    )


def _chain(
    backup: BackupFacts, by_start: Mapping[tuple[int, int], BackupFacts]
) -> tuple[list[BackupFacts], bool]:
    """The backups below an incremental one, the full one first, and whether all were found."""
    chain: list[BackupFacts] = []
    label = backup.label
    while label.incremental_from_lsn is not None:
        timeline = label.incremental_from_timeline or label.timeline
        parent = by_start.get((label.incremental_from_lsn, timeline))
        if parent is None or parent in chain:
            return chain, False
        chain.insert(0, parent)
        label = parent.label
    return chain, True


def _stored_chain(
    stored: StoredBackup, by_name: Mapping[tuple[int, str], BackupFacts]
) -> tuple[list[BackupFacts], bool]:
    """The same of a backup whose tool says what it is built on."""
    found = [by_name.get((stored.repository, label)) for label in stored.parents]
    return [each for each in found if each is not None], None not in found


def keep_newest(needs: Sequence[Need], count: int | None) -> list[Need]:
    """Keep the newest backups, and those that they are built on; None keeps all."""
    if count is None:
        return list(needs)
    ranked = sorted(needs, key=lambda need: need.backup.label.start_lsn, reverse=True)[:count]
    wanted = {need.backup.url for need in ranked} | {url for n in ranked for url in n.parents}
    return [replace(need, kept=need.backup.url in wanted) for need in needs]


def keep_back_to(needs: Sequence[Need], since: datetime) -> list[Need]:
    """Keep the newest backup that ended by then, all that are newer, and what they are built on.

    A backup of which it is not known when it ended counts as newer.
    """
    old = [n for n in needs if n.backup.finished_at is not None and n.backup.finished_at <= since]
    first = max(old, key=lambda need: need.backup.label.start_lsn, default=None)
    if first is None:
        return list(needs)
    begin = first.backup.label.start_lsn
    wanted = {n.backup.url for n in needs if n not in old or n.backup.label.start_lsn >= begin}
    wanted |= {url for n in needs if n.backup.url in wanted for url in n.parents}
    return [replace(need, kept=need.backup.url in wanted) for need in needs]


def make_plan(
    needs: Sequence[Need], archive: ArchiveFacts, tree: TimelineTree, size: int
) -> RetentionPlan:
    """What the backups kept need of an archive, and what they do not."""
    kept = [need for need in needs if need.kept]
    oldest = min((need.oldest_segment for need in kept), key=lambda name: name[8:], default=None)
    older = [name for name in archive.segments if oldest and name[8:] < oldest[8:]]
    first = _first_needed(kept, tree, size)
    beside = [
        name
        for name in archive.segments
        if oldest and name[8:] >= oldest[8:] and _is_beside(name, first, size)
    ]
    wanted = {timeline for need in kept for timeline in need.histories}
    return RetentionPlan(
        needs=tuple(needs),
        oldest_segment=oldest,
        cleanup=tuple(sorted(older, key=lambda name: (name[8:], name))),
        beside=tuple(sorted(beside, key=lambda name: (name[8:], name))),
        histories=tuple(t for t in sorted(archive.histories) if t not in wanted),
    )


def _first_needed(needs: Iterable[Need], tree: TimelineTree, size: int) -> dict[int, int]:
    """Timeline -> the first of its segments that is needed; without the others."""
    first: dict[int, int] = {}
    for need in needs:
        start = segment_of(need.backup.label.start_lsn, size)
        for timeline in {*need.timelines, need.backup.label.timeline}:
            node = tree.timelines.get(timeline)
            begin = segment_of((node.switch_lsn if node else None) or 0, size)
            wanted = max(start, begin)
            first[timeline] = min(wanted, first.get(timeline, wanted))
    return first


def _is_beside(name: str, first: Mapping[int, int], size: int) -> bool:
    number = int(name[8:16], 16) * (0x1_0000_0000 // size) + int(name[16:], 16)
    wanted = first.get(int(name[:8], 16))
    return wanted is None or number < wanted


# -- what a deletion costs -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one backup loses."""

    need: Need
    before: tuple[Window, ...] | None  # None: cannot be said
    after: tuple[Window, ...] | None

    @property
    def dies(self) -> bool:
        return bool(self.before) and self.after == ()

    @property
    def shrinks(self) -> bool:
        """Some window is gone or ends earlier, though the backup itself can be restored."""
        ends = {window.timeline: window.to_lsn for window in self.after or ()}
        lost = (w.to_lsn > ends.get(w.timeline, -1) for w in self.before or ())
        return bool(self.after) and any(lost)


def removed_up_to(archive: ArchiveFacts, segment: str) -> frozenset[str]:
    """The segments that `pg_archivecleanup ARCHIVE SEGMENT` removes: it compares without the
    timeline."""
    return frozenset(name for name in archive.segments if name[8:] < segment[8:])


def find_costs(needs: Sequence[Need], removal: RemovalFacts) -> list[Cost]:
    """By backup kept, its windows before and after."""
    costs: list[Cost] = []
    for need in needs:
        if need.kept:
            known = None if need.parent_missing else removal.by_backup.get(need.backup.url)
            before, after = known or (None, None)
            costs.append(Cost(need=need, before=before, after=after))
    return costs


def files_of(archive: ArchiveFacts, names: Iterable[str]) -> list[ArchivedFile]:
    """The files of segments, every copy of each."""
    return [
        file for name in names for file in (archive.segments[name], *archive.copies.get(name, ()))
    ]
