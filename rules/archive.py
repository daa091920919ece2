"""From listings to judgement: gaps with their class, and what was reported but never arrived."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import reduce

from parsers.errors import ParseError
from parsers.segment import NameKind, parse_segment_name, parse_wal_name
from rules.evidence import AbsentFacts, SequenceFacts
from rules.facts import ArchivedFile, ArchiveFacts, ArchiverFacts, ArchiveStatusFacts, BackupFacts
from rules.sequence import (
    ACKNOWLEDGED,
    DELAYED,
    AcknowledgedGap,
    Gap,
    find_gaps,
    is_needed,
    number_segments,
)
from rules.timelines import TimelineTree, build_tree


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
        segments={**second.segments, **first.segments},
        partials={**second.partials, **first.partials},
        compressed=first.compressed | hidden,
        histories=histories,
        broken_histories={t: why for t, why in broken.items() if t not in histories},
        disputed_histories=_disputed(first, second),
        backup_labels={**second.backup_labels, **first.backup_labels},
        other_count=first.other_count + second.other_count,
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
    seen = {int(text, 16) for text in {name[:8] for name in archive.segments}}
    seen |= {backup.label.timeline for backup in backups}
    return build_tree(archive.histories, seen)


def judge_sequence(
    archive: ArchiveFacts,
    tree: TimelineTree,
    segment_size_bytes: int,
    *,
    backups: Sequence[BackupFacts] | None,
    waiting: Iterable[str] = (),
    acknowledged: Sequence[AcknowledgedGap] = (),
) -> SequenceFacts:
    """Find the gaps of an archive and say of each what it is.

    `waiting` are the segments that the server still holds for the archiver (.ready): a run of
    those is delayed, not lost. `backups` is None when no backup is known of: then no gap can be
    called harmless.
    """
    present = number_segments(archive.segments, segment_size_bytes)
    found = find_gaps(present, tree, segment_size_bytes, backups or ())
    held = number_segments(filter(_is_segment, waiting), segment_size_bytes)
    gaps: list[Gap] = []
    for gap in found:
        for part in _split(gap, held.get(gap.timeline, frozenset())):
            cause = ACKNOWLEDGED if _is_acknowledged(part, acknowledged) else part.cause
            harmless = backups is not None and not is_needed(part, tree, backups)
            at_fork = gap.at_fork and part.first == gap.first
            gaps.append(replace(part, cause=cause, harmless=harmless, at_fork=at_fork))
    return SequenceFacts(gaps=tuple(gaps), segment_size_bytes=segment_size_bytes)


def _split(gap: Gap, held: frozenset[int]) -> list[Gap]:
    """Part a run into what the server still holds and what it does not."""
    inside = sorted(number for number in held if gap.first <= number <= gap.last)
    if not inside:
        return [gap]
    parts: list[Gap] = []
    position = gap.first
    for number in inside:
        if number > position:
            parts.append(replace(gap, first=position, last=number - 1))
        if parts and parts[-1].cause == DELAYED and parts[-1].last == number - 1:
            parts[-1] = replace(parts[-1], last=number)
        else:
            parts.append(replace(gap, first=number, last=number, cause=DELAYED))
        position = number + 1
    if position <= gap.last:
        parts.append(replace(gap, first=position))
    return parts


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
    oldest: dict[str, str] = {}
    for name in archive.segments:
        oldest[name[:8]] = min(name, oldest.get(name[:8], name))
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
