"""What the WAL that was read tells of the servers that wrote it."""

from __future__ import annotations

import pytest

from parsers.wal.facts import (
    POSTGRES_EPOCH,
    CheckpointRecord,
    EndOfRecovery,
    Facts,
    FullPageWritesChange,
    ParameterChange,
    RestorePoint,
    Transaction,
    TransactionKind,
    Transactions,
)
from rules.archive.wal_events import collect_events, find_places
from rules.model.evidence import Branch, Place, TimelineBegin
from rules.model.goal import Goal
from rules.model.timelines import TimelineTree, build_tree
from tests.rules.make_restore import history

SIZE = 1 << 20
FORK = 5 * SIZE + 0x800  # where timeline 2 leaves 1
TREE = build_tree({2: history(2, (1, FORK))}, {1, 2})
SECOND = 1_000_000


def commit(lsn: int, time_us: int, xid: int = 700, *, abort: bool = False) -> Transaction:
    kind = TransactionKind.ABORT if abort else TransactionKind.COMMIT
    return Transaction(lsn, lsn + 80, time_us, xid, kind)


def walked(**by_timeline: list) -> list[tuple[int, Facts]]:
    """Records by timeline: t1, t2."""
    made = []
    for key, records in by_timeline.items():
        transactions = Transactions()
        for each in records:
            if isinstance(each, Transaction):
                transactions.append(each)
        events = tuple(each for each in records if not isinstance(each, Transaction))
        made.append((int(key[1:]), Facts(transactions=transactions, events=events)))
    return made


def checkpoint(
    lsn: int, timeline: int, before: int, *, full: bool = True, at: int = 9, shutdown=True
):
    epoch = int(POSTGRES_EPOCH.timestamp())
    return CheckpointRecord(
        lsn, lsn + 80, shutdown, lsn, timeline, before, full, 1, 800, epoch + at
    )


def parameters(lsn: int, level: int = 1) -> ParameterChange:
    return ParameterChange(lsn, lsn + 80, 100, 8, 10, 0, 64, level, False, False)


def collect(tree: TimelineTree = TREE, **by_timeline: list):
    return collect_events(walked(**by_timeline), tree, SIZE)


def test_settings_are_told_with_the_timeline_that_changed_them() -> None:
    before, after = parameters(FORK - 80), parameters(FORK + 80, 2)
    # The child's first segment repeats what its parent wrote before the fork.
    found = collect(t1=[before], t2=[before, after])
    assert found.parameter_changes == ((1, before), (2, after))


@pytest.mark.parametrize(
    ("event", "turns_off"),
    [
        (FullPageWritesChange(100, 180, False), True),
        (FullPageWritesChange(100, 180, True), False),
        (checkpoint(100, 1, 1, full=False), True),
        (checkpoint(100, 1, 1, full=True), False),
        (EndOfRecovery(100, 180, 5, 1, 1, 1), False),
        (RestorePoint(100, 180, 5, "p"), False),
    ],
)
def test_full_pages_are_off_from_the_record_that_says_so(event, turns_off: bool) -> None:
    assert collect(t1=[event]).full_pages_off == (((1, 100),) if turns_off else ())


AFTER = FORK  # the first record of timeline 2


@pytest.mark.parametrize(
    ("record", "begins_us"),
    [
        (EndOfRecovery(AFTER, AFTER + 80, 7 * SECOND, 2, 1, 1), 7 * SECOND),
        (checkpoint(AFTER, 2, 1, at=9), 10 * SECOND - 1),  # its time is cut to the second
        (checkpoint(AFTER, 2, 1, shutdown=False), None),
        (checkpoint(AFTER, 2, 2), None),  # it goes on
        (EndOfRecovery(AFTER, AFTER + 80, 7, 3, 1, 1), None),  # of a page of another timeline
    ],
)
def test_a_timeline_begins_with_the_record_that_leaves_the_one_before(record, begins_us) -> None:
    expected = () if begins_us is None else (TimelineBegin(2, AFTER, begins_us),)
    assert collect(t2=[record]).begins == expected


@pytest.mark.parametrize(
    ("lsn", "reused"),
    [(FORK, False), (FORK + 255, False), (FORK + 256, True), (FORK - 8, True), (FORK + SIZE, True)],
)
def test_a_number_that_two_servers_took_is_seen_where_it_begins(lsn: int, reused: bool) -> None:
    begin = EndOfRecovery(lsn, lsn + 80, 7, 2, 1, 1)
    found = collect(t2=[begin])
    assert found.reused == (found.begins if reused else ())
    assert len(found.begins) == 1
    assert collect(build_tree({}, {2}), t2=[begin]).reused == ()  # no history says where


BEGIN = EndOfRecovery(FORK, FORK + 80, 50 * SECOND, 2, 1, 1)


@pytest.mark.parametrize(
    ("one", "two", "at_once"),
    [
        # the parent ended before the child began
        ([commit(100, 10)], [BEGIN, commit(FORK + 100, 60 * SECOND)], None),
        # the parent went on while the child was written to
        (
            [commit(FORK + 50, 55 * SECOND), commit(FORK + 150, 70 * SECOND)],
            [BEGIN, commit(FORK + 100, 60 * SECOND)],
            (55 * SECOND, 60 * SECOND),
        ),
        # it went on, and stopped before the child began
        ([commit(FORK + 50, 49 * SECOND)], [BEGIN, commit(FORK + 100, 60 * SECOND)], None),
        # at the same instant
        (
            [commit(FORK + 50, 60 * SECOND)], [BEGIN, commit(FORK + 100, 60 * SECOND)],
            (60 * SECOND, 60 * SECOND),
        ),
        # the child has a beginning and nothing else
        ([commit(FORK + 50, 50 * SECOND)], [BEGIN], (50 * SECOND,) * 2),
        # what both have of before the fork is the parent's
        ([commit(100, 55 * SECOND)], [commit(100, 55 * SECOND), BEGIN], None),
        ([], [BEGIN], None),
    ],
)  # fmt: skip
def test_timelines_that_were_written_to_at_once_are_two_servers(one, two, at_once) -> None:
    expected = () if at_once is None else (Branch(1, 2, *at_once),)
    assert collect(t1=one, t2=two).at_once == expected


def test_a_timeline_is_not_at_once_with_the_one_that_continues_it() -> None:
    """3 continues 2 from a place on; both lived while 1, which nobody continued, went on."""
    tree = build_tree({2: history(2, (1, FORK)), 3: history(3, (1, FORK), (2, FORK + SIZE))}, {1})
    found = collect(
        tree,
        t1=[commit(FORK + 50, 90)],
        t2=[commit(FORK + 100, 80), commit(FORK + 200, 100)],
        t3=[commit(FORK + SIZE + 8, 85), commit(FORK + SIZE + 90, 120)],
    )
    assert [(each.timeline, each.other) for each in found.at_once] == [(1, 2), (1, 3)]


# -- where else it is -----------------------------------------------------------------------------


def point(lsn: int, name: str, at: int = 5) -> RestorePoint:
    return RestorePoint(lsn, lsn + 80, at, name)


WAL = walked(
    t1=[commit(100, 10, 701), point(200, "before_upgrade"), commit(FORK + 50, 60, 702)],
    t2=[commit(100, 10, 701), point(200, "before_upgrade"), point(FORK + 90, "Nightly"),
        commit(FORK + 100, 70, 702, abort=True), commit(FORK + 200, 80, 702)],
)  # fmt: skip


@pytest.mark.parametrize(
    ("goal", "places", "near"),
    [
        (Goal(type="xid", xid=701), [Place(1, 100, 10)], ()),
        (
            Goal(type="xid", xid=702),
            [Place(1, FORK + 50, 60), Place(2, FORK + 100, 70), Place(2, FORK + 200, 80)], (),
        ),
        (Goal(type="xid", xid=703), [], ()),
        (Goal(type="name", name="before_upgrade"), [Place(1, 200, 5)], ()),
        (Goal(type="name", name="nightly"), [], ("Nightly",)),
        (Goal(type="name", name="before_upgrades"), [], ("before_upgrade",)),
        (Goal(type="name", name="zzz"), [], ()),
    ],
)  # fmt: skip
def test_a_target_that_the_path_has_not_is_looked_for_elsewhere(goal: Goal, places, near) -> None:
    found = find_places(WAL, TREE, goal)
    assert (list(found.places), found.near) == (places, near)
