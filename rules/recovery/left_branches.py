"""What other timelines committed after they and the path of a recovery had parted.

A recovery follows one path. What was committed elsewhere, on a timeline that the path left or that
left the path, is not in the state that it opens with, though it may lie in the archive: in whole
segments, or only in a `.partial`, which recovery reads under no circumstances.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from parsers.segment import PARTIAL_SUFFIX, segment_of
from parsers.wal.facts import Transactions
from parsers.wal.scan import SegmentScan
from parsers.wal.stitch import stitch
from rules.model.outcome import LeftBranch
from rules.model.restore_inputs import RestoreInputs, Wal
from rules.model.sequence import number_segments
from rules.model.timelines import Stretch, in_order, path_of
from rules.recovery.replay import is_readable


def find_left_branches(
    restore: RestoreInputs, path: Sequence[Stretch], stop_lsn: int, before_us: int
) -> list[LeftBranch]:
    """The branches with commits earlier than `before_us` that the path parted from by `stop_lsn`,
    and those of which that cannot be said.

    Only what is whole counts: a record that crosses into a file that is absent is none.
    """
    ours = {stretch.timeline: stretch for stretch in in_order(tuple(path))}
    wal = restore.wal
    found: list[LeftBranch] = []
    for branch in _branches(restore, ours):
        if branch.lsn < stop_lsn:
            begin = _begin_of(restore, branch)
            counted_branch = _count(wal, branch, begin, before_us)
            if counted_branch.commits or counted_branch.unread:
                found.append(counted_branch)
    return found


def _branches(restore: RestoreInputs, ours: dict[int, Stretch]) -> Iterator[LeftBranch]:
    for timeline, stretch in ours.items():
        if stretch.end_lsn is not None:
            yield LeftBranch(timeline=timeline, lsn=stretch.end_lsn, is_ancestor=True)
    wal = restore.wal
    written = {*wal.newest_names(), *(int(name[:8], 16) for name in wal.partials)}
    for timeline in sorted(written - ours.keys()):
        history = restore.histories.get(timeline)
        if history is None or not history.entries:
            continue
        parted = _parted(ours, in_order(path_of(timeline, history)))
        if parted is not None:
            yield LeftBranch(timeline=timeline, lsn=parted, is_ancestor=False)


def _parted(ours: dict[int, Stretch], other: Sequence[Stretch]) -> int | None:
    """Where another path parted from ours; None where they never were one."""
    common = [stretch for stretch in other if stretch.timeline in ours]
    if not common:
        return None
    ends = (common[-1].end_lsn, ours[common[-1].timeline].end_lsn)
    return min((end for end in ends if end is not None), default=None)


def _begin_of(restore: RestoreInputs, branch: LeftBranch) -> int:
    """Where what the timeline wrote itself begins to be off the path."""
    if branch.is_ancestor:
        return branch.lsn
    history = restore.histories[branch.timeline]
    return path_of(branch.timeline, history)[-1].begin_lsn


class _File(NamedTuple):
    name: str  # as it is stored
    scan: SegmentScan


def _count(wal: Wal, branch: LeftBranch, begin_lsn: int, before_us: int) -> LeftBranch:
    """Count the commits from `begin_lsn` on, up to the first file that has only later ones."""
    before: SegmentScan | None = None
    for file in _files(wal, branch.timeline, segment_of(begin_lsn, wal.segment_size)):
        if not is_readable(file.scan):
            branch = replace(branch, unread=(*branch.unread, file.name))
        held = [crossing_transactions(before, file.scan), file.scan.facts.transactions]
        before = file.scan
        all_of_it = [each.from_lsn(begin_lsn) for each in held]
        times = [time for each in all_of_it for time in each.times_us]
        commits = [
            each.time_us
            for transactions in all_of_it
            for each in transactions
            if each.kind.is_commit and each.time_us < before_us
        ]
        if commits:
            branch = replace(
                branch,
                commits=branch.commits + len(commits),
                last_us=max(branch.last_us, *commits),
                segments=(*branch.segments, file.name),
            )
        elif times:
            break
    return branch


def _files(wal: Wal, timeline: int, first: int) -> Iterator[_File]:
    """The files of a timeline from a segment on; a `.partial` only where there is no other."""
    names = (*wal.names, *wal.partials)
    own = f"{timeline:08X}"
    numbers = number_segments((name for name in names if name[:8] == own), wal.segment_size)
    for number in sorted(numbers.get(timeline, ())):
        name = wal.name(timeline, number)
        if number < first:
            continue
        scan, suffix = wal.archived(name), ""
        if scan is None:
            scan, suffix = wal.partial(name), PARTIAL_SUFFIX
        if scan is not None:
            yield _File(f"{name}{suffix}", scan)


def crossing_transactions(before: SegmentScan | None, scan: SegmentScan) -> Transactions:
    """The transaction whose record crosses into a file."""
    if before is None or before.tail is None or scan.head is None:
        return Transactions()
    try:
        return stitch(before.tail, scan.head).facts.transactions
    except ValueError:  # a file between the two is absent
        return Transactions()
