"""Trees of many timelines: what is asked of a path by short cuts is what its stretches say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parsers.files.timeline_history import HistoryEntry, TimelineHistory
from parsers.wal.facts import DatedPlace
from rules.archive.dated_wal import make_dating
from rules.model.timelines import TimelineTree, build_tree

TIMELINES = 8
LSNS = st.integers(0, 12)


@st.composite
def trees(draw: st.DrawFn) -> TimelineTree:
    """Each timeline left an earlier one at some LSN, in no order.

    Some have no history of their own; of those a descendant's may tell.
    """
    histories: dict[int, TimelineHistory] = {}
    for timeline in range(2, TIMELINES + 1):
        parent = draw(st.integers(0, timeline - 1))
        if parent:
            above = histories[parent].entries if parent in histories else ()
            last = HistoryEntry(timeline=parent, switch_lsn=draw(LSNS), reason="")
            histories[timeline] = TimelineHistory(timeline=timeline, entries=(*above, last))
    lost = draw(st.sets(st.integers(2, TIMELINES), max_size=4))
    kept = {timeline: history for timeline, history in histories.items() if timeline not in lost}
    return build_tree(kept, range(1, TIMELINES + 1))


@given(trees(), st.integers(1, TIMELINES + 1), st.integers(1, TIMELINES + 1), LSNS)
def test_a_path_reaches_what_its_stretches_hold(
    tree: TimelineTree, target: int, timeline: int, lsn: int
) -> None:
    held = any(
        stretch.timeline == timeline
        and stretch.begin_lsn <= lsn
        and (stretch.end_lsn is None or lsn < stretch.end_lsn)
        for stretch in tree.path(target)
    )
    assert tree.reaches(target, timeline, lsn) is held


@given(
    trees(),
    st.dictionaries(st.integers(1, TIMELINES), st.sets(LSNS, max_size=4)),
    st.integers(1, TIMELINES),
)
def test_the_dated_stretches_of_a_path(
    tree: TimelineTree, dated: dict[int, set[int]], timeline: int
) -> None:
    places = {
        each: tuple(DatedPlace(lsn=lsn, time_us=lsn, transactions=1) for lsn in sorted(lsns))
        for each, lsns in dated.items()
    }
    dating = make_dating(tree, places)
    expected = [s for s in reversed(tree.path(timeline)) if places.get(s.timeline)]
    assert list(dating._dated_path(timeline)) == expected


@given(trees(), st.integers(1, TIMELINES))
def test_a_timeline_continues_what_its_path_holds_before_it(
    tree: TimelineTree, timeline: int
) -> None:
    path = tree.path(timeline)
    expected = (path[-2].timeline, path[-1].begin_lsn) if len(path) > 1 else None
    assert tree.continues(timeline) == expected
