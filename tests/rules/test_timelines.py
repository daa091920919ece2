"""The tree of timelines, from history files as real servers write them."""

import pytest

from parsers.timeline_history import TimelineHistory, parse_timeline_history
from rules.timelines import build_tree, latest_timeline

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
