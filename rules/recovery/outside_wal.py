"""What WAL outside the archives adds to them: the window's end before and after, and what to copy.

At depth records both ends are the predictor's; otherwise they follow from names. Files that a
server has recycled under future names never count (agent.archive.pg_wal); a `.partial` counts under
the name that recovery would ask for, which is what it must be copied to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from parsers.values import dataclass
from rules.model.evidence import CopyStep, ElsewhereFacts, Gain
from rules.model.facts import ArchiveFacts, BackupFacts, ScanFacts
from rules.model.goal import Goal
from rules.model.restore_inputs import RestoreInputs, without_segments
from rules.model.timelines import TimelineTree
from rules.model.windows import Window, find_reaches, window_of
from rules.recovery.predictor import simulate
from rules.recovery.restorable import RestorableWindow, find_window


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """One backup, what it reaches with everything, and how to predict it without some of it."""

    facts: BackupFacts
    windows: tuple[Window, ...]
    restore: RestoreInputs | None  # None where records were not read


def find_gain(
    archives: Sequence[ArchiveFacts],
    elsewhere: Sequence[ArchiveFacts],
    scan: ScanFacts | None,
    backups: Sequence[Reached],
    tree: TimelineTree,
    size: int | None,
) -> ElsewhereFacts:
    """Hold what the archives reach alone against what they reach with the rest."""
    archived = {name for archive in archives for name in archive.segments}
    further = {name for wal in elsewhere for name in wal.segments}
    broken = {copy.segment for copy in (scan.copies if scan else ()) if copy.kind} & further
    added = (further - archived) | broken
    histories = {timeline for archive in archives for timeline in archive.histories}
    gains: list[Gain] = []
    used: set[str] = set()
    for reached in backups if size else ():
        assert size is not None
        for gain, segments in _gains(reached, archived - broken, added, histories, tree, size):
            gains.append(gain)
            used |= segments & added
    return ElsewhereFacts(
        urls=tuple(wal.url for wal in elsewhere),
        segments=tuple(sorted(further - archived)),
        gains=tuple(gains),
        copies=tuple(_copies(archives, elsewhere, used, broken)) if gains else (),
        recycled=tuple(sorted({name for wal in elsewhere for name in wal.recycled})),
        destination=archives[0].url if archives else None,
    )


def _gains(
    reached: Reached,
    usable: Collection[str],
    added: Collection[str],
    histories: Collection[int],
    tree: TimelineTree,
    size: int,
) -> Iterator[tuple[Gain, set[str]]]:
    """Each window that grows, and the files on the way to its end."""
    listed = {}
    if reached.restore is None:
        own = set(usable) | reached.facts.wal
        listed = {each.timeline: each for each in find_reaches(reached.facts, tree, own, size)}
    for window in reached.windows:
        if reached.restore is not None:
            alone = _without(reached.restore, added, histories)
            was = find_window(alone, window.timeline)
            way = simulate(reached.restore, Goal(timeline=window.timeline)).segments_needed
            yield from _grown(reached, window, was, set(way))
        else:
            before = listed.get(window.timeline)
            reach = window_of(reached.facts, before) if before else None
            yield from _grown(reached, window, reach, set(added))


def _grown(
    reached: Reached,
    window: Window,
    was: Window | RestorableWindow | None,
    segments: set[str],
) -> Iterator[tuple[Gain, set[str]]]:
    if was is not None and was.to_lsn >= window.to_lsn:
        return
    commits = None
    if window.commits is not None:
        commits = window.commits - ((was.commits or 0) if was else 0)
    gain = Gain(
        backup=reached.facts.url,
        timeline=window.timeline,
        from_lsn=was.to_lsn if was else None,
        to_lsn=window.to_lsn,
        from_time=was.to_time if was else None,
        to_time=window.to_time,
        commits=commits,
    )
    yield gain, segments


def _without(
    restore: RestoreInputs, added: Collection[str], histories: Collection[int]
) -> RestoreInputs:
    """The same restore with the archives alone."""
    kept = {t: history for t, history in restore.histories.items() if t in histories}
    return replace(without_segments(restore, added), histories=kept)


def _copies(
    archives: Sequence[ArchiveFacts],
    elsewhere: Sequence[ArchiveFacts],
    used: Collection[str],
    broken: Collection[str],
) -> Iterator[CopyStep]:
    """History files first: without them the segments after them mean nothing."""
    known = {timeline for archive in archives for timeline in archive.histories}
    for wal in elsewhere:
        for timeline in sorted(wal.histories.keys() - known):
            known.add(timeline)
            name = f"{timeline:08X}.history"
            yield CopyStep(directory=wal.url, stored=name, name=name, replaces=False)
    for name in sorted(used):
        file = next(wal.segments[name] for wal in elsewhere if name in wal.segments)
        yield CopyStep(
            directory=file.directory, stored=file.name, name=name, replaces=name in broken
        )
