"""The restore points that the archive's WAL holds, each on the timeline that it was made on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from parsers.wal_facts import Facts, RestorePoint
from parsers.wal_scan import SegmentScan
from parsers.wal_stitch import stitch_run
from rules.damage import runs_of
from rules.timelines import TimelineTree


class PlacedRestorePoint(NamedTuple):
    """A restore point and its timeline."""

    timeline: int
    point: RestorePoint


def list_restore_points(
    scans: Mapping[str, SegmentScan], tree: TimelineTree, segment_size_bytes: int
) -> list[PlacedRestorePoint]:
    """In order of position. A timeline's first segment repeats its parent's: that is left out."""
    found: dict[PlacedRestorePoint, None] = {}
    for timeline, facts in walk_facts(scans, tree, segment_size_bytes):
        for point in facts.restore_points:
            if point.lsn >= begin_of(tree, timeline):
                found[PlacedRestorePoint(timeline, point)] = None
    return sorted(found, key=lambda placed: (placed.point.lsn, placed.timeline))


def begin_of(tree: TimelineTree, timeline: int) -> int:
    """Where a timeline's own WAL begins; 0 where nothing tells."""
    node = tree.timelines.get(timeline)
    return (node.switch_lsn if node else None) or 0


def walk_facts(
    scans: Mapping[str, SegmentScan], tree: TimelineTree, segment_size_bytes: int
) -> Iterator[tuple[int, Facts]]:
    """What every segment says and what crosses into it, each with the timeline of its file."""
    for run in runs_of(scans, tree, segment_size_bytes):
        for name, facts in _facts_of(run, scans):
            yield int(name[:8], 16), facts


def _facts_of(run: list[str], scans: Mapping[str, SegmentScan]) -> Iterator[tuple[str, Facts]]:
    """The facts of each segment and of what crosses into it; behind damage a run begins anew."""
    position = 0
    while position < len(run):
        for stitched in stitch_run([scans[name] for name in run[position:]]):
            name = run[position]
            if stitched.boundary is not None:
                yield name, stitched.boundary.facts
            yield name, stitched.scan.facts
            position += 1
