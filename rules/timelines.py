"""The tree of timelines, built from every history file and from the names themselves.

Follows src/backend/access/transam/timeline.c (tliInHistory, tliSwitchPoint) for what a timeline's
history means, and xlogrecovery.c (XLogFileReadAnyTLI) for which file serves a segment. The parent
of timeline N is what N's history says, never N-1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from parsers.timeline_history import TimelineHistory


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """One node of the tree."""

    id: int
    parent: int | None  # None: the first, or no history tells
    switch_lsn: int | None  # where it left its parent
    has_history: bool  # its own .history is there; timeline 1 never has one


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """The part of a path that one timeline contributes: [begin_lsn, end_lsn)."""

    timeline: int
    begin_lsn: int
    end_lsn: int | None  # None: the tip


class Fork(NamedTuple):
    """A switch of timelines that was replayed."""

    timeline: int  # the new one
    parent: int
    lsn: int  # where it begins
    time_us: int  # when; of a checkpoint, the second

    @property
    def begun_by_us(self) -> int:
        """When it has begun for sure: a checkpoint's time is cut to the second."""
        return self.time_us if self.time_us % 1_000_000 else self.time_us + 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineTree:
    """Every timeline known, by number."""

    timelines: Mapping[int, Timeline]

    def children(self, timeline: int) -> list[Timeline]:
        return [node for node in self.timelines.values() if node.parent == timeline]

    def path(self, target: int) -> tuple[Stretch, ...]:
        """The stretches that recovery towards `target` replays, oldest first.

        A timeline without a history counts as having no ancestors, as the server takes it.
        """
        stretches: list[Stretch] = []
        end: int | None = None
        node = self.timelines.get(target)
        while node is not None:
            begin = node.switch_lsn or 0
            stretches.append(Stretch(timeline=node.id, begin_lsn=begin, end_lsn=end))
            end = node.switch_lsn
            node = self.timelines.get(node.parent) if node.parent is not None else None
        return tuple(reversed(stretches))

    def reaches(self, target: int, timeline: int, lsn: int) -> bool:
        """Tell whether the path to `target` passes through `lsn` on `timeline`."""
        return any(
            stretch.timeline == timeline
            and stretch.begin_lsn <= lsn
            and (stretch.end_lsn is None or lsn < stretch.end_lsn)
            for stretch in self.path(target)
        )


def build_tree(histories: Mapping[int, TimelineHistory], seen: Iterable[int]) -> TimelineTree:
    """Build the tree from history files and from the timelines `seen` in segment names.

    A timeline whose own history is absent still gets its parent from a descendant's history,
    which repeats it.
    """
    nodes: dict[int, Timeline] = {}
    for history in histories.values():
        lineage = [*((entry.timeline, entry.switch_lsn) for entry in history.entries)]
        children = [*(timeline for timeline, _ in lineage[1:]), history.timeline]
        for (parent, switch_lsn), child in zip(lineage, children, strict=True):
            _add(nodes, child, parent, switch_lsn, histories)
    ancestors = {entry.timeline for history in histories.values() for entry in history.entries}
    for timeline in sorted({*seen, *histories, *ancestors}):
        _add(nodes, timeline, None, None, histories)
    return TimelineTree(timelines=dict(sorted(nodes.items())))


def _add(
    nodes: dict[int, Timeline],
    timeline: int,
    parent: int | None,
    switch_lsn: int | None,
    histories: Mapping[int, TimelineHistory],
) -> None:
    """Add a node. The timeline's own history wins over what a descendant repeats of it."""
    own = histories.get(timeline)
    if own is not None and own.parent is not None:
        parent, switch_lsn = own.parent.timeline, own.parent.switch_lsn
    if timeline not in nodes:
        nodes[timeline] = Timeline(
            id=timeline, parent=parent, switch_lsn=switch_lsn, has_history=own is not None
        )


def latest_timeline(histories: Iterable[int], base: int) -> int:
    """The timeline that `recovery_target_timeline = 'latest'` ends on, from timeline `base`.

    The server probes base+1, base+2, … and stops at the first number without a history
    (findNewestTimeLine): a higher one behind a hole is never seen.
    """
    known = set(histories)
    newest = base
    while newest + 1 in known:
        newest += 1
    return newest


def path_of(timeline: int, history: TimelineHistory | None) -> tuple[Stretch, ...]:
    """The path of a recovery target timeline, oldest first, by its own history file alone.

    Follows readTimeLineHistory: a history that is not there means no ancestors.
    """
    entries = history.entries if history else ()
    begins = [0, *(entry.switch_lsn for entry in entries)]
    ids = [*(entry.timeline for entry in entries), timeline]
    return tuple(
        Stretch(timeline=number, begin_lsn=begin, end_lsn=end)
        for number, begin, end in zip(ids, begins, [*begins[1:], None], strict=True)
    )


def timeline_at(path: tuple[Stretch, ...], lsn: int) -> int | None:
    """The timeline of a path that holds an LSN (tliOfPointInHistory)."""
    for stretch in path:
        if stretch.begin_lsn <= lsn and (stretch.end_lsn is None or lsn < stretch.end_lsn):
            return stretch.timeline
    return None
