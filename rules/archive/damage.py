"""From scans of single segments to a list of what is damaged.

A scan is local. Here its neighbours and the archive around it are added: whether records may end
early there, whether boundaries join, and whose cluster the segments belong to.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Sequence

from parsers.segment import segment_name, segment_of, segments_per_log
from parsers.sentences import tr
from parsers.wal.damage import Damage, DamageKind
from parsers.wal.scan import SegmentScan, judge_end
from parsers.wal.stitch import stitch_run
from rules.model.facts import DamagedSegment
from rules.model.scans import Scans, count_systems, joined_in, units_of
from rules.model.timelines import TimelineTree


def system_identifier_of(scans: Scans) -> int | None:
    """The cluster that most of the segments say they belong to; None when none says."""
    said = count_systems(scans)
    return said.most_common(1)[0][0] if said else None


def judge_scans(
    scans: Scans,
    may_end_early: Container[str],
    tree: TimelineTree,
    segment_size_bytes: int,
    system_identifier: int | None,
) -> tuple[DamagedSegment, ...]:
    """List the damaged segments, one entry each, by name.

    `may_end_early` names those that may end before the segment does: see left_segments.
    `system_identifier` is the cluster's own, from its control file or a backup; None lets the
    majority of the segments decide.
    """
    expected = system_identifier or system_identifier_of(scans)
    damages = _damages_alone(scans, expected, may_end_early)
    sound = set(scans).difference(damages)
    for run in runs_of(sound, tree, segment_size_bytes):
        for damage in _boundary_damages([unit.scan for unit in units_of(run, scans)]):
            name = _holder(run, damage, segment_size_bytes)
            damages.setdefault(name, damage)
    return tuple(
        DamagedSegment(segment=name, kind=d.kind.value, lsn=d.lsn, detail=d.detail)
        for name, d in sorted(damages.items())
    )


def _damages_alone(
    scans: Scans, expected: int | None, may_end_early: Container[str]
) -> dict[str, Damage]:
    """What is wrong with each segment by itself. Nothing is, in a stretch that was joined."""
    whole: set[str] = set()
    for unit in joined_in(scans).values():
        if _foreign(unit.whole.scan, expected) is None:
            whole.update(unit.names)
    found = (
        (name, damage_alone(name, scans[name], expected, may_end_early))
        for name in scans
        if name not in whole
    )
    return {name: damage for name, damage in found if damage is not None}


def damage_alone(
    name: str, scan: SegmentScan, system_identifier: int | None, may_end_early: Container[str]
) -> Damage | None:
    """What is wrong with a segment whatever its neighbours are."""
    early = name in may_end_early
    return _foreign(scan, system_identifier) or judge_end(scan, may_end_early=early)


def _foreign(scan: SegmentScan, expected: int | None) -> Damage | None:
    header = scan.header
    if header is None or expected is None or header.system_identifier == expected:
        return None
    detail = tr(
        "system identifier {own}, not {expected}", own=header.system_identifier, expected=expected
    )
    return Damage(kind=DamageKind.FOREIGN_SYSTEM, lsn=scan.start_lsn, detail=detail)


def left_segments(tree: TimelineTree, size: int) -> set[str]:
    """The segments in which a timeline was left for another: their records may end there."""
    left = map(tree.continues, tree.timelines)
    return {segment_name(parent, segment_of(lsn, size), size) for parent, lsn in filter(None, left)}


def runs_of(names: Collection[str], tree: TimelineTree, size: int) -> Iterator[list[str]]:
    """Names of segments that follow each other; a timeline's first follows its parent's last."""
    per_log = segments_per_log(size)
    run: list[str] = []
    log, base, following = "", 0, -1
    for name in sorted(names):
        low = int(name[16:], 16)
        if low >= per_log:
            continue  # impossible at this size
        if name[:16] != log:
            if name[:8] != log[:8]:
                following = -1
            log, base = name[:16], int(name[8:16], 16) * per_log
        if base + low != following:
            if run:
                yield run
            run = _parents_last(int(log[:8], 16), base + low, names, tree, size)
        run.append(name)
        following = base + low + 1
    if run:
        yield run


def _parents_last(
    timeline: int, number: int, names: Collection[str], tree: TimelineTree, size: int
) -> list[str]:
    """The segment that a timeline's first one continues, if both are here."""
    left = tree.continues(timeline)
    if left is None or number == 0:
        return []
    parent, switch_lsn = left
    before = segment_name(parent, number - 1, size)
    return [before] if number == segment_of(switch_lsn, size) and before in names else []


def _boundary_damages(scans: Sequence[SegmentScan]) -> Iterator[Damage]:
    """Every damage at the boundaries of a run; a new run begins after each."""
    position = 0
    while position < len(scans):
        for stitched in stitch_run(scans[position:]):
            position += 1
            if stitched.damage is not None:
                yield stitched.damage
                position -= stitched.boundary is not None and stitched.boundary.damage is not None
                break


def _holder(run: Sequence[str], damage: Damage, size: int) -> str:
    """The segment of the run that holds the damaged position."""
    number = segment_of(damage.lsn, size)
    return next((name for name in run if _holds(name, number, size)), run[-1])


def _holds(name: str, number: int, size: int) -> bool:
    return name == segment_name(int(name[:8], 16), number, size)
