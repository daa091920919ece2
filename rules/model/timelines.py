"""The tree of timelines, built from every history file and from the names themselves.

Follows src/backend/access/transam/timeline.c (readTimeLineHistory, tliOfPointInHistory) for what a
timeline's history means, and xlogrecovery.c (XLogFileReadAnyTLI) for which file serves a segment.
The parent of timeline N is what N's history says, never N-1.

A history need not be in order. Recovery along timeline 2, which left timeline 1 at A, may stop on
timeline 1 at B < A: the history of the new timeline 3 then says `1 A`, `2 B`, though 3 continues 1
from B on. The server searches the newest ancestor first, so the last to begin holds a position.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from functools import cached_property
from typing import NamedTuple

from parsers.files.timeline_history import TimelineHistory
from parsers.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """One node of the tree."""

    id: int
    parent: int | None  # None: the first, or no history tells
    switch_lsn: int | None  # where it left its parent
    has_history: bool  # its own .history is there; timeline 1 never has one


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """The part of a path that one timeline contributes: [begin_lsn, end_lsn).

    As a history file lists it, it may be empty or overlap others: see `in_order`.
    """

    timeline: int
    begin_lsn: int
    end_lsn: int | None  # None: the tip, or a history that says 0/0


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


@dataclass(frozen=True, kw_only=True)
class TimelineTree:
    """Every timeline known, by number. One history file may name tens of thousands."""

    timelines: Mapping[int, Timeline]
    histories: Mapping[int, TimelineHistory] = field(default_factory=dict)  # those that are there
    # lsn -> timeline -> which timeline of its path holds that position
    _holders: dict[int, dict[int, int | None]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def children(self, timeline: int) -> list[Timeline]:
        return self._by_parent.get(timeline, [])

    @cached_property
    def _by_parent(self) -> dict[int, list[Timeline]]:
        children: dict[int, list[Timeline]] = {}
        for node in self.timelines.values():
            if node.parent is not None:
                children.setdefault(node.parent, []).append(node)
        return children

    def path(self, target: int) -> tuple[Stretch, ...]:
        """The stretches that recovery towards `target` replays, oldest first, end to end.

        A timeline whose own history is absent has the ancestors that a descendant's repeats.
        """
        return in_order(self._listed_path(target))

    def _listed_path(self, target: int) -> tuple[Stretch, ...]:
        node = self.timelines.get(target)
        repeated: list[Stretch] = []  # newest first
        end: int | None = None
        while node is not None and self.is_repeated(node):
            assert node.parent is not None
            begin = node.switch_lsn or 0
            repeated.append(Stretch(timeline=node.id, begin_lsn=begin, end_lsn=end))
            end = begin or None
            node = self.timelines.get(node.parent)
        if node is None:
            return ()
        *before, last = path_of(node.id, self.histories.get(node.id))
        return (*before, replace(last, end_lsn=end), *reversed(repeated))

    def continues(self, timeline: int) -> tuple[int, int] | None:
        """Give (the timeline whose WAL this one continues, where); None: it is the first."""
        node = self.timelines.get(timeline)
        if node is None or not self.is_repeated(node):
            path = self.path(timeline)
            return (path[-2].timeline, path[-1].begin_lsn) if len(path) > 1 else None
        begin = node.switch_lsn or 0
        while node is not None and self.is_repeated(node):
            assert node.parent is not None
            node = self.timelines.get(node.parent)
            if node is not None and self.is_repeated(node) and (node.switch_lsn or 0) < begin:
                return node.id, begin
        above = [s for s in self.path(node.id) if s.begin_lsn < begin] if node else []
        return (above[-1].timeline, begin) if above else None

    def reaches(self, target: int, timeline: int, lsn: int) -> bool:
        """Tell whether the path to `target` passes through `lsn` on `timeline`."""
        holders = self._holders.setdefault(lsn, {})
        if target not in holders:
            self._find_holder(target, lsn, holders)
        return holders[target] == timeline

    def _find_holder(self, target: int, lsn: int, holders: dict[int, int | None]) -> None:
        """Fill in the holder of the target and of the ancestors that only others' histories name.

        Where such a one does not hold the position itself, its parent's path tells.
        """
        chain, node = [target], self.timelines.get(target)
        while node is not None and self.is_repeated(node) and lsn < (node.switch_lsn or 0):
            assert node.parent is not None
            chain.append(node.parent)
            if node.parent in holders:
                break
            node = self.timelines.get(node.parent)
        last = chain[-1]
        if last not in holders:
            holders[last] = timeline_at(self.path(last), lsn)
        for each in chain:
            holders[each] = holders[last]

    def is_repeated(self, node: Timeline) -> bool:
        """Its own history is absent, and a descendant's says where it left its parent."""
        return node.id not in self.histories and node.parent is not None


def build_tree(histories: Mapping[int, TimelineHistory], seen: Iterable[int]) -> TimelineTree:
    """Build the tree from history files and from the timelines `seen` in segment names.

    A timeline whose own history is absent still gets its parent from a descendant's history,
    which repeats it.
    """
    nodes: dict[int, Timeline] = {}
    for history in histories.values():
        following = [*(entry.timeline for entry in history.entries[1:]), history.timeline]
        for entry, child in zip(history.entries, following, strict=False):  # none: an empty file
            _add(nodes, child, entry.timeline, entry.switch_lsn, histories)
    ancestors = {entry.timeline for history in histories.values() for entry in history.entries}
    for timeline in sorted({*seen, *histories, *ancestors}):
        _add(nodes, timeline, None, None, histories)
    return TimelineTree(timelines=dict(sorted(nodes.items())), histories=histories)


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
    (findNewestTimeLine): a higher one beyond a hole is never seen.
    """
    known = set(histories)
    newest = base
    while newest + 1 in known:
        newest += 1
    return newest


def path_of(timeline: int, history: TimelineHistory | None) -> tuple[Stretch, ...]:
    """The path of a recovery target timeline, oldest first, as its own history file lists it.

    Follows readTimeLineHistory: a history that is not there means no ancestors, 0/0 is no position.
    """
    entries = history.entries if history else ()
    begins = [0, *(entry.switch_lsn for entry in entries)]
    ids = [*(entry.timeline for entry in entries), timeline]
    return tuple(
        Stretch(timeline=number, begin_lsn=begin, end_lsn=end or None)
        for number, begin, end in zip(ids, begins, [*begins[1:], None], strict=True)
    )


def in_order(path: tuple[Stretch, ...]) -> tuple[Stretch, ...]:
    """What each stretch of a listed path contributes: end to end, none of them empty."""
    stretches: list[Stretch] = []
    end: int | None = None
    for stretch in reversed(path):
        if end is None or stretch.begin_lsn < end:
            stretches.append(replace(stretch, end_lsn=end))
            end = stretch.begin_lsn
        if not end:
            break
    return tuple(reversed(stretches))


def timeline_at(path: tuple[Stretch, ...], lsn: int) -> int | None:
    """The timeline of a path that holds an LSN: the newest is asked first (tliOfPointInHistory)."""
    for stretch in reversed(path):
        if stretch.begin_lsn <= lsn and (stretch.end_lsn is None or lsn < stretch.end_lsn):
            return stretch.timeline
    return None
