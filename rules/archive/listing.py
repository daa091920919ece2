"""From listings to judgement: gaps with their class, and what was reported but never arrived."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import takewhile
from typing import Final

from parsers.errors import ParseError
from parsers.segment import NameKind, parse_segment_name, parse_wal_name
from rules.model.evidence import AbsentFacts, SequenceFacts
from rules.model.facts import (
    ArchivedFile,
    ArchiveFacts,
    ArchiverFacts,
    ArchiveStatusFacts,
    BackupFacts,
)
from rules.model.segment_names import SegmentNames, overlay
from rules.model.sequence import (
    ACKNOWLEDGED,
    DELAYED,
    AcknowledgedGap,
    Gap,
    find_gaps,
    is_needed,
    number_segments,
)
from rules.model.timelines import TimelineTree, build_tree

# The kernel stamps files by a clock that ticks so often.
_TICK: Final = timedelta(milliseconds=10)


def segment_size_of(archive: ArchiveFacts | None, backups: Iterable[BackupFacts]) -> int | None:
    """Bytes: as the segments say, or else the backups; None: nothing tells it."""
    if archive is not None and archive.segment_size_bytes:
        return archive.segment_size_bytes
    return next((each.segment_size_bytes for each in backups if each.segment_size_bytes), None)


def merge_archives(archives: Sequence[ArchiveFacts]) -> ArchiveFacts:
    """See several archives of one cluster as one: the first that holds a file provides it.

    What the others hold of the same segment are its copies.
    """
    return reduce(_over, archives)


def _over(first: ArchiveFacts, second: ArchiveFacts) -> ArchiveFacts:
    histories = {**second.histories, **first.histories}
    broken = {**second.broken_histories, **first.broken_histories}
    hidden = second.compressed - first.segments.keys()
    return replace(
        first,
        url=f"{first.url} + {second.url}",
        copies=_copies(first, second),
        listed_at=min(first.listed_at, second.listed_at),
        segment_size_bytes=first.segment_size_bytes or second.segment_size_bytes,
        segments=overlay(first.segments, second.segments),
        partials={**second.partials, **first.partials},
        lookalikes={**second.lookalikes, **first.lookalikes},
        compressed=first.compressed | hidden,
        histories=histories,
        broken_histories={t: why for t, why in broken.items() if t not in histories},
        disputed_histories=_disputed(first, second),
        backup_labels={**second.backup_labels, **first.backup_labels},
        other_count=first.other_count + second.other_count,
        impossible=tuple(sorted({*first.impossible, *second.impossible})),
        strays={**second.strays, **first.strays},
        emptied={**second.emptied, **first.emptied},
    )


def _disputed(first: ArchiveFacts, second: ArchiveFacts) -> frozenset[int]:
    both = first.histories.keys() & second.histories.keys()
    differ = {t for t in both if first.histories[t].entries != second.histories[t].entries}
    return frozenset(differ) | first.disputed_histories | second.disputed_histories


def _copies(first: ArchiveFacts, second: ArchiveFacts) -> dict[str, tuple[ArchivedFile, ...]]:
    copies = {**second.copies, **first.copies}
    for name in first.segments.keys() & second.segments.keys():
        found = (second.segments[name], *second.copies.get(name, ()))
        own = {first.segments[name], *first.copies.get(name, ())}
        further = [file for file in found if file not in own]  # the same directory, named twice
        if further:
            copies[name] = (*first.copies.get(name, ()), *further)
    return copies


def timeline_tree(archive: ArchiveFacts, backups: Iterable[BackupFacts] = ()) -> TimelineTree:
    """The tree of all timelines that the archive or a backup knows of."""
    seen = SegmentNames.of(archive.segments).timelines
    seen |= {backup.label.timeline for backup in backups}
    return build_tree(archive.histories, seen)


def judge_sequence(
    archive: ArchiveFacts,
    tree: TimelineTree,
    segment_size_bytes: int,
    *,
    backups: Sequence[BackupFacts] | None,
    waiting: Iterable[str] = (),
    due_at: datetime | None = None,
    acknowledged: Sequence[AcknowledgedGap] = (),
) -> SequenceFacts:
    """Find the gaps of an archive and say of each what it is.

    `waiting` are the segments that the server still holds for the archiver (.ready): a run of
    those is delayed, not lost. So is what was not due yet when the listing began: only a segment or
    a backup that was there before tells that another had to be. `due_at` (by default when the
    listing began, and never later) is since when a backup must be known for its last segment to be
    due. `backups` is None when no backup is known of: then no gap can be called harmless.
    """
    names = SegmentNames.of(archive.segments)
    present = names.runs(segment_size_bytes)
    found = find_gaps(present, tree, segment_size_bytes, backups or ())
    held = number_segments(filter(_is_segment, waiting), segment_size_bytes)
    due = (
        _find_due(archive, names, tree, segment_size_bytes, backups or (), due_at) if found else ()
    )
    gaps: list[Gap] = []
    for gap in found:
        for part in _split(gap, due, held.get(gap.timeline, frozenset())):
            cause = ACKNOWLEDGED if _is_acknowledged(part, acknowledged) else part.cause
            harmless = backups is not None and not is_needed(part, tree, backups)
            at_fork = gap.at_fork and part.first == gap.first
            gaps.append(replace(part, cause=cause, harmless=harmless, at_fork=at_fork))
    return SequenceFacts(gaps=tuple(gaps), segment_size_bytes=segment_size_bytes)


def _find_due(
    archive: ArchiveFacts,
    names: SegmentNames,
    tree: TimelineTree,
    size: int,
    backups: Iterable[BackupFacts],
    due_at: datetime | None,
) -> Collection[Gap]:
    """The gaps that there are without what came while the archive was listed, or after.

    One walk sees a directory's files at different instants: it may meet a new segment, and miss the
    one before it, which came when its place had been passed. Between others that were there before,
    a late one changes none of the gaps: only the ends of a timeline are asked when they came.
    """
    began_at = archive.listed_at - _TICK
    began_ns = (began_at - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1) * 1000

    def is_late(name: str) -> bool:
        return archive.segments[name].ctime_ns >= began_ns

    due_at = min(due_at or archive.listed_at, archive.listed_at)
    known = (each for each in backups if each.known_at is None or each.known_at <= due_at)
    written = [_up_to_whole_segments(each, size) for each in known]
    late = {
        name
        for own in names.by_timeline()
        for ends in (own, reversed(own))
        for name in takewhile(is_late, ends)
    }
    return dict.fromkeys(find_gaps((names - late).runs(size), tree, size, written))


def _up_to_whole_segments(backup: BackupFacts, size: int) -> BackupFacts:
    """A backup from a standby ends in a segment that the primary may go on writing for hours."""
    if backup.label.source != "standby" or backup.stop_lsn is None:
        return backup
    return replace(backup, stop_lsn=backup.stop_lsn - backup.stop_lsn % size)


def _split(gap: Gap, due: Collection[Gap], held: frozenset[int]) -> list[Gap]:
    """Part a run into what may still come and what does not."""
    late = [] if gap in due else _without(gap, due)
    inside = (number for number in held if gap.first <= number <= gap.last)
    late += [replace(gap, first=number, last=number) for number in inside]
    parts: list[Gap] = []
    position = gap.first
    for run in sorted(late, key=lambda run: run.first):
        if run.first > position:
            parts.append(replace(gap, first=position, last=run.first - 1))
        if parts and parts[-1].cause == DELAYED:
            parts[-1] = replace(parts[-1], last=max(parts[-1].last, run.last))
        else:
            parts.append(replace(run, cause=DELAYED))
        position = parts[-1].last + 1
    if position <= gap.last:
        parts.append(replace(gap, first=position))
    return parts


def _without(gap: Gap, due: Iterable[Gap]) -> list[Gap]:
    """The runs of a gap that no gap of `due` (oldest first) covers."""
    runs: list[Gap] = []
    position = gap.first
    for each in due:
        if each.timeline == gap.timeline and each.first <= gap.last and each.last >= position:
            if each.first > position:
                runs.append(replace(gap, first=position, last=each.first - 1))
            position = each.last + 1
    return [*runs, replace(gap, first=position)] if position <= gap.last else runs


def _is_acknowledged(gap: Gap, acknowledged: Sequence[AcknowledgedGap]) -> bool:
    for known in acknowledged:
        if known.timeline != gap.timeline:
            continue
        try:
            first = parse_segment_name(known.first, gap.segment_size_bytes)[1]
            last = parse_segment_name(known.last, gap.segment_size_bytes)[1]
        except ParseError:
            continue
        if first <= gap.first and gap.last <= last:
            return True
    return False


def find_absent(
    archive: ArchiveFacts, archiver: ArchiverFacts, status: ArchiveStatusFacts
) -> AbsentFacts:
    """Segments that the server reported as archived *before* the listing began, and that it lacks.

    The witnesses must be readings that ended before the listing: what was archived while it ran
    proves nothing. What is older than the oldest segment listed of its timeline was removed by
    retention. A restored segment gets its .done without ever being sent, so .done counts only on
    timelines of which the archive holds something.
    """
    ends = SegmentNames.of(archive.segments).ends
    oldest = {timeline: first for timeline, (first, _) in ends.items()}
    done = (name for name in status.done if name[:8] in oldest)
    reported = dict.fromkeys(done, "archive_status/*.done")
    if archiver.last_archived_wal:
        reported.setdefault(archiver.last_archived_wal, "pg_stat_archiver")
    absent = sorted(
        name
        for name in reported
        if _is_segment(name) and name not in archive.segments and name >= oldest.get(name[:8], "")
    )
    witness = ", ".join(sorted({reported[name] for name in absent}))
    return AbsentFacts(segments=tuple(absent), witness=witness)


def _is_segment(name: str) -> bool:
    parsed = parse_wal_name(name)
    return parsed is not None and parsed.kind is NameKind.SEGMENT
