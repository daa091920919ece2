"""What the WAL that was read tells of the servers that wrote it: settings, timelines, times.

Derived once from the scans, for the checks. Nothing is judged here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Final

from parsers.wal.facts import (
    POSTGRES_EPOCH,
    CheckpointRecord,
    EndOfRecovery,
    Facts,
    FullPageWritesChange,
    ParameterChange,
    RelationTruncate,
    Transactions,
)
from parsers.wal.page import first_record_lsn
from rules.archive.restore_points import Walked, begin_of
from rules.model.evidence import Branch, Place, PlacesFacts, TimelineBegin, WalEventsFacts
from rules.model.goal import Goal
from rules.model.timelines import TimelineTree

Written = Mapping[int, Sequence[Transactions]]  # by timeline


_TELLING: Final = (
    CheckpointRecord, EndOfRecovery, FullPageWritesChange, ParameterChange, RelationTruncate,
)  # fmt: skip
_BEFORE_BEGIN_BYTES: Final = 256  # room for the two records


def collect_events(walked: Walked, tree: TimelineTree, segment_size: int) -> WalEventsFacts:
    """Walk through everything that was read, once."""
    changes: list[tuple[int, ParameterChange]] = []
    full_pages_off: list[tuple[int, int]] = []
    begins: set[TimelineBegin] = set()
    truncations: list[tuple[int, RelationTruncate]] = []
    resource_managers: set[int] = set()
    written: dict[int, list[Transactions]] = defaultdict(list)
    for timeline, facts in walked:
        resource_managers.update(count.rmgr for count in facts.by_rmgr)
        written[timeline].append(facts.transactions)
        for event in facts.events:
            if not isinstance(event, _TELLING):
                continue
            begins.update(_begins(timeline, event))
            if event.lsn < begin_of(tree, timeline):
                continue
            if isinstance(event, ParameterChange):
                changes.append((timeline, event))
            elif isinstance(event, RelationTruncate):
                if event.blocks:  # TRUNCATE leaves none
                    truncations.append((timeline, event))
            elif _turns_off(event):
                full_pages_off.append((timeline, event.lsn))
    return WalEventsFacts(
        parameter_changes=tuple(changes),
        full_pages_off=tuple(full_pages_off),
        begins=tuple(sorted(begins)),
        reused=tuple(sorted(each for each in begins if _is_reuse(each, tree, segment_size))),
        at_once=tuple(_find_overlaps(written, begins, tree)),
        vacuum_truncations=tuple(truncations),
        resource_managers=frozenset(resource_managers),
    )


def find_places(walked: Walked, tree: TimelineTree, goal: Goal) -> PlacesFacts:
    """Where else the WAL has the transaction or restore point of a goal."""
    places = (
        place
        for timeline, facts in walked
        for place in _matches(timeline, facts, goal)
        if place.lsn >= begin_of(tree, timeline)
    )
    found = tuple(sorted(set(places)))
    near = () if found or goal.name is None else _near(goal.name, walked)
    return PlacesFacts(places=found, near=near)


def _near(wanted: str, walked: Walked) -> tuple[str, ...]:
    """The names most like one that no restore point has, whatever their case."""
    from difflib import get_close_matches  # only where a name is wrong

    names = {
        point.name.casefold(): point.name for _, facts in walked for point in facts.restore_points
    }
    return tuple(names[name] for name in get_close_matches(wanted.casefold(), names, 3))


def _matches(timeline: int, facts: Facts, goal: Goal) -> Iterator[Place]:
    if goal.name is not None:
        for point in facts.restore_points:
            if point.name == goal.name:
                yield Place(timeline, point.lsn, point.time_us)
    if goal.xid is not None and goal.xid in facts.transactions.xids:
        for transaction in facts.transactions:
            if transaction.xid == goal.xid:
                yield Place(timeline, transaction.lsn, transaction.time_us)


def _turns_off(event: object) -> bool:
    """Whether full pages are off from here on."""
    if isinstance(event, FullPageWritesChange):
        return not event.on
    return isinstance(event, CheckpointRecord) and not event.full_page_writes


# -- where timelines begin -----------------------------------------------------------------------


def _begins(timeline: int, event: object) -> Iterator[TimelineBegin]:
    """The timeline of the file that a record lies in, where the record begins it."""
    if isinstance(event, EndOfRecovery):
        at = event.time_us
    elif isinstance(event, CheckpointRecord) and event.shutdown:
        # Cut to the second: what may still be earlier is not called later.
        at = (event.time + 1 - int(POSTGRES_EPOCH.timestamp())) * 1_000_000 - 1
    else:
        return
    if event.timeline == timeline and event.previous_timeline != timeline:
        yield TimelineBegin(timeline, event.lsn, at)


def _is_reuse(begin: TimelineBegin, tree: TimelineTree, segment_size: int) -> bool:
    """Whether a timeline begins elsewhere than its history says: two servers took its number.

    The record is not always the first: StartupXLOG may write an OVERWRITE_CONTRECORD and an
    FPW_CHANGE before it.
    """
    node = tree.timelines.get(begin.timeline)
    if node is None or node.switch_lsn is None:
        return False
    first = first_record_lsn(node.switch_lsn, segment_size)
    return not first <= begin.lsn < first + _BEFORE_BEGIN_BYTES


# -- timelines that were written to at the same time ----------------------------------------------


def _find_overlaps(
    written: Written, begins: Collection[TimelineBegin], tree: TimelineTree
) -> Iterator[Branch]:
    """Pairs of timelines of which neither continues the other, and that lived at the same time."""
    for one, other in combinations(sorted(written), 2):
        first = _lived(one, _leaves_at(tree, one, other), written, begins)
        second = _lived(other, _leaves_at(tree, other, one), written, begins)
        if first is None or second is None:
            continue
        begun, ended = max(first[0], second[0]), min(first[1], second[1])
        if begun <= ended:
            yield Branch(one, other, begun, ended)


def _lived(
    timeline: int, from_lsn: int, written: Written, begins: Collection[TimelineBegin]
) -> tuple[int, int] | None:
    """From when to when a timeline was written to after an LSN; None for not at all."""
    own = max(from_lsn, min((b.lsn for b in begins if b.timeline == timeline), default=0))
    times = [each.time_us for each in begins if each.timeline == timeline and each.lsn >= own]
    for transactions in written[timeline]:
        later = transactions.from_lsn(own)
        if later:
            times += (min(later.times_us), max(later.times_us))
    return (min(times), max(times)) if times else None


def _leaves_at(tree: TimelineTree, timeline: int, other: int) -> int:
    """From which LSN on a timeline is no part of the other's path: 0 when it never is."""
    for stretch in tree.path(other):
        if stretch.timeline == timeline:
            return stretch.end_lsn if stretch.end_lsn is not None else 0
    return 0
