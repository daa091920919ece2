"""What the WAL that was read tells of the servers that wrote it: settings, timelines, times.

Derived once from the scans, for the checks. Nothing is judged here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations

from parsers.wal_facts import (
    POSTGRES_EPOCH,
    CheckpointRecord,
    EndOfRecovery,
    Facts,
    FullPageWritesChange,
    ParameterChange,
    Transactions,
)
from parsers.wal_page import first_record_lsn
from parsers.wal_scan import SegmentScan
from rules.evidence import Branch, Place, PlacesFacts, TimelineBegin, WalEventsFacts
from rules.goal import Goal
from rules.restore_points import begin_of, walk_facts
from rules.timelines import TimelineTree

Scans = Mapping[str, SegmentScan]
Written = Mapping[int, Sequence[Transactions]]  # by timeline


def collect_events(scans: Scans, tree: TimelineTree, segment_size: int) -> WalEventsFacts:
    """Walk through everything that was read, once."""
    changes: list[tuple[int, ParameterChange]] = []
    full_pages_off: list[tuple[int, int]] = []
    begins: set[TimelineBegin] = set()
    written: dict[int, list[Transactions]] = defaultdict(list)
    for timeline, facts in walk_facts(scans, tree, segment_size):
        begins.update(_begins(timeline, facts))
        begin = begin_of(tree, timeline)
        written[timeline].append(facts.transactions)
        changes += [(timeline, each) for each in facts.parameter_changes if each.lsn >= begin]
        full_pages_off += [
            (timeline, each.lsn) for each in facts.events if each.lsn >= begin and _turns_off(each)
        ]
    return WalEventsFacts(
        parameter_changes=tuple(changes),
        full_pages_off=tuple(full_pages_off),
        begins=tuple(sorted(begins)),
        reused=tuple(sorted(each for each in begins if _is_reuse(each, tree, segment_size))),
        at_once=tuple(_find_overlaps(written, begins, tree)),
    )


def find_places(scans: Scans, tree: TimelineTree, segment_size: int, goal: Goal) -> PlacesFacts:
    """Where else the WAL has the transaction or restore point of a goal."""
    places = (
        place
        for timeline, facts in walk_facts(scans, tree, segment_size)
        for place in _matches(timeline, facts, goal)
        if place.lsn >= begin_of(tree, timeline)
    )
    return PlacesFacts(places=tuple(sorted(set(places))))


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


def _begins(timeline: int, facts: Facts) -> Iterator[TimelineBegin]:
    """The records that begin the timeline of the file they lie in."""
    for event in facts.events:
        if isinstance(event, EndOfRecovery):
            at = event.time_us
        elif isinstance(event, CheckpointRecord) and event.shutdown:
            at = (event.time - int(POSTGRES_EPOCH.timestamp())) * 1_000_000
        else:
            continue
        if event.timeline == timeline and event.previous_timeline != timeline:
            yield TimelineBegin(timeline, event.lsn, at)


def _is_reuse(begin: TimelineBegin, tree: TimelineTree, segment_size: int) -> bool:
    """Whether a timeline begins elsewhere than its history says: two servers took its number."""
    node = tree.timelines.get(begin.timeline)
    if node is None or node.switch_lsn is None:
        return False
    return begin.lsn != first_record_lsn(node.switch_lsn, segment_size)


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
    """From when to when a timeline was written to behind an LSN; None for not at all."""
    own = max(from_lsn, min((b.lsn for b in begins if b.timeline == timeline), default=0))
    times = [each.time_us for each in begins if each.timeline == timeline and each.lsn >= own]
    for transactions in written[timeline]:
        behind = transactions.behind(own)
        if behind:
            times += (min(behind.times_us), max(behind.times_us))
    return (min(times), max(times)) if times else None


def _leaves_at(tree: TimelineTree, timeline: int, other: int) -> int:
    """From which LSN on a timeline is no part of the other's path: 0 when it never is."""
    for stretch in tree.path(other):
        if stretch.timeline == timeline:
            return stretch.end_lsn if stretch.end_lsn is not None else 0
    return 0
