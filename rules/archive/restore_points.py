"""The restore points that the archive's WAL holds, each on the timeline that it was made on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from parsers.wal.facts import Facts, RestorePoint
from parsers.wal.stitch import stitch_run
from rules.archive.damage import runs_of
from rules.model.scans import Scans, units_of
from rules.model.timelines import TimelineTree


class PlacedRestorePoint(NamedTuple):
    """A restore point and its timeline."""

    timeline: int
    point: RestorePoint


Walked = Iterable[tuple[int, Facts]]  # what `walk_facts` gives


def list_restore_points(walked: Walked, tree: TimelineTree) -> list[PlacedRestorePoint]:
    """In order of position. A timeline's first segment repeats its parent's: that is left out."""
    found: dict[PlacedRestorePoint, None] = {}
    for timeline, facts in walked:
        for point in facts.restore_points:
            if point.lsn >= begin_of(tree, timeline):
                found[PlacedRestorePoint(timeline, point)] = None
    return sorted(found, key=lambda placed: (placed.point.lsn, placed.timeline))


def begin_of(tree: TimelineTree, timeline: int) -> int:
    """Where a timeline's own WAL begins; 0 where nothing tells."""
    node = tree.timelines.get(timeline)
    return (node.switch_lsn if node else None) or 0


def walk_facts(
    scans: Scans, tree: TimelineTree, segment_size_bytes: int
) -> Iterator[tuple[int, Facts]]:
    """What every segment says and what crosses into it, each with the timeline of its file."""
    for run in runs_of(scans.keys(), tree, segment_size_bytes):
        for name, facts in _facts_of(run, scans):
            yield int(name[:8], 16), facts


def _facts_of(run: list[str], scans: Scans) -> Iterator[tuple[str, Facts]]:
    """The facts of each segment and of what crosses into it; a new run begins after damage."""
    units, position = list(units_of(run, scans)), 0
    while position < len(units):
        for stitched in stitch_run([unit.scan for unit in units[position:]]):
            name = units[position].names[0]
            if stitched.boundary is not None:
                yield name, stitched.boundary.facts
            yield name, stitched.scan.facts
            position += 1
