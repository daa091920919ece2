"""Windows: what each backup reaches on each timeline before the first obstacle.

An obstacle is a segment that is absent or damaged. To the depth at which segments were only listed
a window ends at a segment's boundary, and its times are not known.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field
from datetime import datetime

from parsers.segment import segment_before, segment_name, segment_of
from parsers.values import dataclass
from rules.model.facts import BackupFacts
from rules.model.segment_names import SegmentNames
from rules.model.timelines import Stretch, TimelineTree


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One restorable interval, as positions: [from_lsn, to_lsn]."""

    timeline: int
    from_lsn: int  # the backup is consistent from here on
    to_lsn: int  # end of the last segment before the obstacle, or of the archive
    obstacle: str | None  # the segment that ends it; None: nothing newer exists
    from_time: datetime | None = None  # None where the records were not read
    to_time: datetime | None = None  # of the last commit or abort
    commits: int | None = None
    aborts: int | None = None
    segments: tuple[str, ...] = field(default=(), repr=False, compare=False)  # that it rests on
    verified_at: datetime | None = field(default=None, compare=False)  # their oldest reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far replay from a backup gets along the path to one timeline."""

    timeline: int
    end_lsn: int  # the first position that cannot be replayed
    obstacle: str | None  # the segment missing or damaged there; None: nothing newer exists
    segments: tuple[str, ...]  # the files replayed, in order


def walk_path(
    backup: BackupFacts,
    path: tuple[Stretch, ...],
    usable: Collection[str],
    newest: int,
    segment_size_bytes: int,
) -> Reach:
    """Follow a path from the backup's start while its segments are usable.

    `newest` is the highest segment number that exists on the path's tip. A segment that straddles
    a switch is served by the newer timeline, as recovery chooses it.
    """
    size = segment_size_bytes
    replayed: list[str] = []
    position = segment_of(backup.label.start_lsn, size)
    last_switch = max(segment_of(stretch.begin_lsn, size) for stretch in path)
    timeline = 0
    while position <= newest:
        if not timeline or position <= last_switch:
            timeline = _timeline_at(path, position, size)
        name = segment_name(timeline, position, size)
        if name not in usable:
            return Reach(
                timeline=path[-1].timeline,
                end_lsn=max(position * size, backup.label.start_lsn),
                obstacle=name,
                segments=tuple(replayed),
            )
        replayed.append(name)
        position += 1
    return Reach(
        timeline=path[-1].timeline,
        end_lsn=position * size,
        obstacle=None,
        segments=tuple(replayed),
    )


def _timeline_at(path: tuple[Stretch, ...], number: int, size: int) -> int:
    """The timeline whose file serves segment `number`: the newest that begins in or before it."""
    serving = path[0].timeline
    for stretch in path:
        if segment_of(stretch.begin_lsn, size) <= number:
            serving = stretch.timeline
    return serving


def find_reaches(
    backup: BackupFacts, tree: TimelineTree, usable: Collection[str], segment_size_bytes: int
) -> list[Reach]:
    """How far the backup gets on every timeline that it can reach, by timeline number."""
    label = backup.label
    runs = SegmentNames.of(usable).runs(segment_size_bytes)
    newest = {timeline: own[-1][-1] for timeline, own in runs.items()}
    if backup.stop_lsn is not None:
        needed = segment_before(backup.stop_lsn, segment_size_bytes)
        newest[label.timeline] = max(needed, newest.get(label.timeline, 0))
    return [
        walk_path(backup, tree.path(timeline), usable, newest[timeline], segment_size_bytes)
        for timeline in tree.timelines
        if timeline in newest and tree.reaches(timeline, label.timeline, label.checkpoint_lsn)
    ]


def window_of(backup: BackupFacts, reach: Reach) -> Window | None:
    """The window that a reach gives; None when the backup does not become consistent in it."""
    if backup.stop_lsn is None or reach.end_lsn < backup.stop_lsn:
        return None
    return Window(
        timeline=reach.timeline,
        from_lsn=backup.stop_lsn,
        to_lsn=reach.end_lsn,
        obstacle=reach.obstacle,
        segments=reach.segments,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalFacts:
    """By backup, its windows before and after a deletion; None: they cannot be told."""

    by_backup: Mapping[str, tuple[tuple[Window, ...] | None, tuple[Window, ...] | None]]
