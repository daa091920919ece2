"""Names that say nothing of the WAL in an archive, set aside before any judgement.

A segment's name is 24 digits: timeline, four-GiB log, segment in the log. XLogFileName in
xlog_internal.h never gives timeline 0, nor a segment beyond its log. And a directory or pipe was
archived by no server: where it lies away from the files of its timeline, none between is missing.
Nor is it where a file holds no WAL, or another place's, and no WAL leads to it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
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
    proves: Callable[[str], bool],
    segment_size_bytes: int,
) -> SegmentNames:
    """The names that prove no WAL: their files do not, and they adjoin none that do.

    `proves`: whether a file holds WAL of this place, or was not looked into. What lies among such
    files of its timeline, or leads on from them, from a backup or from the fork, may well be the
    WAL that its name says. Anything else tells of no segment before it that should be there, and
    of no WAL that a restore would miss. Where no file proves any, every name counts.
    """
    held, rest = _held_forks(archive, segment_size_bytes), list[tuple[int, range]]()
    proven = 0
    for timeline, runs in SegmentNames.of(archive.segments).runs(segment_size_bytes).items():
        for run in runs:
            if any(proves(segment_name(timeline, each, segment_size_bytes)) for each in run):
                held.setdefault(timeline, []).extend((run.start, run[-1]))
                proven += 1
            else:
                rest.append((timeline, run))
    if not proven:
        return SegmentNames()
    for timeline, number in _needed(backups, segment_size_bytes):
        held.setdefault(timeline, []).append(number)
    return SegmentNames.of(
        segment_name(timeline, each, segment_size_bytes)
        for timeline, run in rest
        if not _adjoins(run, held.get(timeline, ()))
        for each in run
    )


def _needed(backups: Iterable[BackupFacts], size: int) -> Iterator[tuple[int, int]]:
    """Timeline and segment of where each backup begins and ends."""
    for backup in backups:
        label = backup.label
        yield label.timeline, segment_of(label.start_lsn, size)
        if backup.stop_lsn is not None:
            yield backup.stop_timeline or label.timeline, segment_before(backup.stop_lsn, size)


def _adjoins(run: range, ends: Collection[int]) -> bool:
    return bool(ends) and run.start <= max(ends) + 1 and run.stop >= min(ends)


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
    held = _held_forks(archive, size)
    for timeline, runs in files.runs(size).items():
        held.setdefault(timeline, []).extend((runs[0].start, runs[-1][-1]))
    return held


def _held_forks(archive: ArchiveFacts, size: int) -> dict[int, list[int]]:
    """By timeline, the segment in which it left its parent."""
    return {
        timeline: [segment_of(history.parent.switch_lsn, size)]
        for timeline, history in archive.histories.items()
        if history.parent is not None
    }
