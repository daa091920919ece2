"""The tree of timelines, from history files as real servers write them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.files.timeline_history import HistoryEntry, TimelineHistory, parse_timeline_history
from parsers.wal.scan import SegmentScan
from rules.model.restore_inputs import Wal
from rules.model.timelines import build_tree, in_order, latest_timeline, path_of, timeline_at
from rules.recovery.replay import serve

# Three promotions of one cluster: 2 forks from 1, 3 from 2, and 4 from 1 again (a second restore).
HISTORIES = {
    2: b"1\t0/5000000\tbefore 2025-07-10 12:36:58.237185-07\n\n",
    3: b"1\t0/5000000\tbefore 2025-07-10 12:36:58.237185-07\n\n\n"
    b"2\t0/7000100\tno recovery target specified\n",
    4: b'1\t0/4031F10\tat restore point "punto_laboratorio"\n',
}


def histories(*timelines: int) -> dict[int, TimelineHistory]:
    return {tli: parse_timeline_history(HISTORIES[tli], tli) for tli in timelines}


def test_a_parent_is_what_the_history_says_not_the_number_before() -> None:
    tree = build_tree(histories(2, 3, 4), seen={1, 2, 3, 4})
    assert {tli: node.parent for tli, node in tree.timelines.items()} == {1: None, 2: 1, 3: 2, 4: 1}
    assert tree.timelines[4].switch_lsn == 0x4031F10


def test_a_missing_history_is_repeated_by_its_descendants() -> None:
    tree = build_tree(histories(3), seen={1, 2, 3})
    assert (tree.timelines[2].parent, tree.timelines[2].switch_lsn) == (1, 0x5000000)
    assert not tree.timelines[2].has_history
    assert tree.timelines[3].has_history


def test_a_timeline_without_any_history_has_no_known_parent() -> None:
    tree = build_tree({}, seen={1, 2})
    assert tree.timelines[2].parent is None
    assert [stretch.timeline for stretch in tree.path(2)] == [2]


def test_the_path_runs_over_every_ancestor_up_to_its_switch() -> None:
    path = build_tree(histories(2, 3, 4), seen={1}).path(3)
    assert [(s.timeline, s.begin_lsn, s.end_lsn) for s in path] == [
        (1, 0, 0x5000000),
        (2, 0x5000000, 0x7000100),
        (3, 0x7000100, None),
    ]


@pytest.mark.parametrize(
    ("target", "timeline", "lsn", "reached"),
    [
        (3, 1, 0x4FFFFFF, True),
        (3, 1, 0x5000000, False),  # past the fork: that WAL is of another branch
        (3, 2, 0x5000000, True),
        (4, 1, 0x4FFFFFF, False),
        (4, 2, 0x6000000, False),
        (1, 1, 0x9000000, True),
    ],
)
def test_reaching_a_position_needs_it_before_the_fork(
    target: int, timeline: int, lsn: int, reached: bool
) -> None:
    assert build_tree(histories(2, 3, 4), seen={1}).reaches(target, timeline, lsn) is reached


def test_latest_stops_at_the_first_number_without_a_history() -> None:
    assert latest_timeline({2, 3, 4}, base=1) == 4
    assert latest_timeline({3, 4}, base=1) == 1
    assert latest_timeline({2, 3}, base=3) == 3


# -- histories out of order: held against the server's own loops -----------------------------------

# Timeline 2 left 1 at C000A0; a recovery along 2 then stopped on 1 at 900620 and made 3.
DISORDERED = {
    2: b"1\t0/C000A0\tno recovery target specified\n",
    3: b"1\t0/C000A0\tno recovery target specified\n\n2\t0/900620\tafter transaction 732\n",
}
SIZE = 1 << 20


@dataclass
class TimeLineHistoryEntry:
    tli: int
    begin: int
    end: int


def read_timeline_history(
    target: int, switches: list[tuple[int, int]]
) -> list[TimeLineHistoryEntry]:
    """readTimeLineHistory: newest first; 0 is InvalidXLogRecPtr."""
    result: list[TimeLineHistoryEntry] = []
    prevend = 0
    for tli, switchpoint in switches:
        result.insert(0, TimeLineHistoryEntry(tli, prevend, switchpoint))
        prevend = switchpoint
    result.insert(0, TimeLineHistoryEntry(target, prevend, 0))
    return result


def tli_of_point_in_history(ptr: int, history: list[TimeLineHistoryEntry]) -> int:
    for tle in history:
        if (tle.begin == 0 or tle.begin <= ptr) and (tle.end == 0 or ptr < tle.end):
            return tle.tli
    raise AssertionError("timeline history was not contiguous")


def xlog_file_read_any_tli(
    segno: int, cur_file_tli: int, expected: list[TimeLineHistoryEntry], there: set[tuple[int, int]]
) -> int | None:
    for hent in expected:
        if hent.tli < cur_file_tli:
            break
        if hent.begin != 0 and segno < hent.begin // SIZE:
            continue
        if (hent.tli, segno) in there:
            return hent.tli
    return None


positions = st.integers(0, 6 * SIZE)


@st.composite
def switches(draw: st.DrawFn) -> list[tuple[int, int]]:
    ancestors = draw(st.lists(st.integers(1, 9), unique=True, max_size=6).map(sorted))
    return [(tli, draw(positions)) for tli in ancestors]


def listed(target: int, switches: list[tuple[int, int]]) -> TimelineHistory:
    entries = (HistoryEntry(timeline=tli, switch_lsn=at, reason="") for tli, at in switches)
    return TimelineHistory(timeline=target, entries=tuple(entries))


@given(switches=switches(), lsn=positions)
def test_a_position_is_where_the_server_finds_it(switches: list[tuple[int, int]], lsn: int) -> None:
    history = listed(10, switches)
    expected = tli_of_point_in_history(lsn, read_timeline_history(10, switches))
    path = path_of(10, history)
    assert timeline_at(path, lsn) == expected
    assert timeline_at(in_order(path), lsn) == expected
    tree = build_tree({10: history}, seen={1})
    assert tree.path(10) == in_order(path)
    assert [t for t in range(1, 11) if tree.reaches(10, t, lsn)] == [expected]


@given(switches=switches())
def test_what_is_in_order_lies_end_to_end(switches: list[tuple[int, int]]) -> None:
    path = in_order(path_of(10, listed(10, switches)))
    assert path[0].begin_lsn == 0 and path[-1].timeline == 10
    assert [stretch.end_lsn for stretch in path] == [*(s.begin_lsn for s in path[1:]), None]
    assert all(s.end_lsn is None or s.begin_lsn < s.end_lsn for s in path)
    tree = build_tree({10: listed(10, switches)}, seen={1})
    before = (path[-2].timeline, path[-1].begin_lsn) if len(path) > 1 else None
    assert tree.continues(10) == before


@given(
    switches=switches(),
    there=st.sets(st.tuples(st.integers(1, 10), st.integers(0, 6))),
    number=st.integers(0, 6),
    current=st.integers(0, 10),
)
def test_a_segment_is_served_by_the_file_that_the_server_opens(
    switches: list[tuple[int, int]], there: set[tuple[int, int]], number: int, current: int
) -> None:
    found = object()

    def archived(name: str) -> SegmentScan | None:
        is_there = (int(name[:8], 16), int(name[16:], 16)) in there
        return found if is_there else None  # type: ignore[return-value]

    wal = Wal(segment_size=SIZE, names=(), archived=archived, find_record=lambda *_: None)
    served = serve(wal, path_of(10, listed(10, switches)), number, current)
    expected = xlog_file_read_any_tli(number, current, read_timeline_history(10, switches), there)
    assert (served.timeline if served else None) == expected


def test_a_timeline_continues_the_one_that_held_the_place_where_it_left() -> None:
    read = {tli: parse_timeline_history(data, tli) for tli, data in DISORDERED.items()}
    tree = build_tree(read, seen={1, 2, 3})
    assert (tree.timelines[3].parent, tree.continues(3)) == (2, (1, 0x900620))
    assert [(s.timeline, s.begin_lsn, s.end_lsn) for s in tree.path(3)] == [
        (1, 0, 0x900620),
        (3, 0x900620, None),
    ]
    assert not tree.reaches(3, 1, 0xA00060) and tree.reaches(2, 1, 0xA00060)


def test_a_path_is_what_the_own_history_says_though_an_ancestors_says_otherwise() -> None:
    read = {2: listed(2, [(1, 0x500)]), 3: listed(3, [(1, 0x400), (2, 0x900)])}
    tree = build_tree(read, seen={1})
    assert [s.begin_lsn for s in tree.path(3)] == [0, 0x400, 0x900]


def test_a_very_long_line_of_ancestors_is_walked() -> None:
    lineage = [(tli, tli) for tli in range(1, 5000)]
    path = build_tree({5000: listed(5000, lineage)}, seen={1}).path(4999)
    assert [stretch.timeline for stretch in path] == list(range(1, 5000))
