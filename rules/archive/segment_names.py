"""Names that say nothing of the WAL in an archive, set aside before any judgement.

A segment's name is 24 digits: timeline, four-GiB log, segment in the log. XLogFileName in
xlog_internal.h never gives timeline 0, nor a segment beyond its log. And a directory or pipe was
archived by no server: where it lies away from the files of its timeline, none between is missing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from parsers.segment import parse_segment_name, segment_before, segment_name, segment_of
from rules.model.facts import ArchiveFacts, BackupFacts
from rules.model.segment_names import SegmentNames, without


def set_aside(archive: ArchiveFacts, segment_size_bytes: int | None) -> ArchiveFacts:
    """The archive without them; `impossible` and `strays` have them. None: no size is known."""
    if segment_size_bytes is None:
        return archive
    names = SegmentNames.of(archive.segments) | archive.partials
    impossible = names.impossible(segment_size_bytes)
    strays = _strays(archive, names - impossible, segment_size_bytes)
    if not (impossible or strays):
        return archive
    gone = impossible | strays
    return replace(
        archive,
        segments=without(archive.segments, gone),
        partials=without(archive.partials, gone),
        compressed=archive.compressed - gone,
        copies={name: files for name, files in archive.copies.items() if name not in gone},
        impossible=tuple(sorted({*archive.impossible, *impossible})),
        strays={**archive.strays, **strays},
    )


def find_unproven(
    archive: ArchiveFacts,
    backups: Iterable[BackupFacts],
    unreadable: Collection[str],
    segment_size_bytes: int,
) -> SegmentNames:
    """The names, of files that nobody could read, which prove no WAL: they adjoin none that is.

    What lies among the files of its timeline, or leads on from them, from a backup or from the
    fork, may well be the WAL that its name says. Anything else tells of no segment before it that
    should be there, and of no WAL that a restore would miss. Where no file at all was read, every
    name counts.
    """
    names = SegmentNames.of(archive.segments)
    closed = names & SegmentNames.of(unreadable)
    if not closed or len(closed) == len(names):
        return SegmentNames()
    held = _held(archive, names - closed, segment_size_bytes)
    for backup in backups:
        label = backup.label
        needs = [(label.timeline, segment_of(label.start_lsn, segment_size_bytes))]
        if backup.stop_lsn is not None:
            stop = segment_before(backup.stop_lsn, segment_size_bytes)
            needs.append((backup.stop_timeline or label.timeline, stop))
        for timeline, number in needs:
            held.setdefault(timeline, []).append(number)
    unproven: list[str] = []
    for timeline, runs in closed.runs(segment_size_bytes).items():
        ends = held.get(timeline)
        first, last = (min(ends), max(ends)) if ends else (1, -1)
        for run in runs:
            if run.start > last + 1 or run.stop < first:
                unproven += (segment_name(timeline, each, segment_size_bytes) for each in run)
    return SegmentNames.of(unproven)


def _strays(archive: ArchiveFacts, names: SegmentNames, size: int) -> dict[str, str]:
    """What is no file, and not where a restore could ask for it: among the files, or next to them.

    There a restore_command may hang on it, and what lies beyond is not known.
    """
    no_files = {name for name in archive.no_files if name in names and name not in archive.copies}
    if not no_files:
        return {}
    held = _held(archive, SegmentNames.of(archive.segments) & names - no_files, size)
    around = {timeline: range(min(n) - 1, max(n) + 2) for timeline, n in held.items()}
    strays: dict[str, str] = {}
    for name in no_files:
        timeline, number = parse_segment_name(name, size)
        if number not in around.get(timeline, ()):
            strays[name] = archive.no_files[name]
    return strays


def _held(archive: ArchiveFacts, files: SegmentNames, size: int) -> dict[int, list[int]]:
    """By timeline, the oldest and newest of the files, and where it left its parent."""
    held = {timeline: [runs[0].start, runs[-1][-1]] for timeline, runs in files.runs(size).items()}
    for timeline, history in archive.histories.items():
        if history.parent is not None:
            held.setdefault(timeline, []).append(segment_of(history.parent.switch_lsn, size))
    return held
