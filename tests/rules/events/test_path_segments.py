"""The WAL of one path: every segment in order, or that it is nowhere; what is beyond a hole too."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.segment import segment_name
from rules.events.events import find
from rules.events.path_segments import (
    Chapter,
    Extent,
    MissingSegment,
    extent_of,
    facts_before,
    read_chapters,
)
from rules.events.transactions import tell_story
from rules.events.wanted import WantedEvents
from rules.model.restore_inputs import Wal
from rules.model.timelines import Stretch, in_order, path_of
from tests.rules.make_restore import history, wal_of
from tests.rules.write_wal import SEGMENT, WalWriter

ONE = (Stretch(timeline=1, begin_lsn=0, end_lsn=None),)


def named(*numbers: int, timeline: int = 1) -> Wal:
    """WAL of which there are names alone."""
    return wal_of({segment_name(timeline, number, SEGMENT): b"" for number in numbers})


def nothing(names: list[str]) -> Wal:
    return Wal(
        segment_size=SEGMENT, names=names, archived=lambda name: None,
        find_record=lambda name, lsn, begin_lsn: None,
    )  # fmt: skip


NUMBERS = st.sets(st.one_of(st.integers(1, 12), st.integers(4096, 12_300)), max_size=6)


@given(NUMBERS, st.integers(1, 12_300), st.integers(0, 9000))
def test_each_segment_of_an_extent_is_counted_once(held: set[int], first: int, count: int) -> None:
    names = [segment_name(1, number, SEGMENT) for number in held]
    extent = Extent(first, first + count)
    told = list(read_chapters(nothing(names), ONE, extent))
    covered = [n for page in told for n in range(page.number, page.number + page.count)]  # type: ignore[union-attr]
    assert covered == list(range(first, first + count + 1))
    singles = {page.number for page in told if page.count == 1}  # type: ignore[union-attr]
    assert held & set(covered) <= singles  # what is named is told of by itself
    assert len(told) < 5 * 4096 + 20
    for page in told:
        assert page.segment == segment_name(1, page.number, SEGMENT)


def test_an_extent_goes_from_where_it_is_asked_to_the_newest_of_the_path() -> None:
    assert extent_of(named(3, 5), ONE, None) == (3, 5)
    assert extent_of(named(3, 5), ONE, 4 * SEGMENT + 40) == (4, 5)
    assert extent_of(named(3, 5), ONE, 9 * SEGMENT) == (9, 9)
    assert extent_of(named(), ONE, None) is None
    assert extent_of(named(3, timeline=2), ONE, None) is None
    forked = in_order(path_of(2, history(2, (1, 4 * SEGMENT + 100))))
    assert extent_of(named(3, 4, 5, 6), forked, None) == (3, 4)  # its parent's are another history
    assert extent_of(named(5, 6), forked, None) is None
    both = wal_of({
        segment_name(timeline, number, SEGMENT): b""
        for timeline, number in ((1, 3), (1, 9), (2, 4), (2, 7))
    })  # fmt: skip
    assert extent_of(both, forked, None) == (3, 7)


WRITTEN = Extent(1, 3)


def written() -> WalWriter:
    """Three segments, a commit in each; one with many subtransactions runs into the second."""
    wal = WalWriter()
    wal.commit(701, 1)
    wal.fill_to(2 * SEGMENT - 400)
    wal.commit_nested(702, 2, list(range(1000, 1400)))
    wal.commit(703, 3)
    wal.switch()
    wal.commit(704, 4)
    return wal


def read(wal: WalWriter, *lost: str, extent: Extent = WRITTEN) -> list[Chapter | MissingSegment]:
    files = {name: bytes(data) for name, data in wal.segments.items() if name not in lost}
    return list(read_chapters(wal_of(files), ONE, extent))


def xids(page: Chapter | MissingSegment) -> tuple[list[int], list[int]] | None:
    """Those of what runs into a chapter and of what lies in it."""
    if isinstance(page, MissingSegment):
        return None
    return ([t.xid for t in page.crossing.transactions], [t.xid for t in page.inside.transactions])


FIRST, SECOND, THIRD = (segment_name(1, number, SEGMENT) for number in (1, 2, 3))


def test_a_record_that_runs_into_a_segment_is_told_there_and_only_if_it_is_whole() -> None:
    assert [xids(page) for page in read(written())] == [
        ([], [701]), ([702], [703]), ([], [704]),
    ]  # fmt: skip
    assert [xids(page) for page in read(written(), FIRST)] == [None, ([], [703]), ([], [704])]
    assert [xids(page) for page in read(written(), SECOND)] == [([], [701]), None, ([], [704])]
    other = written()
    other.segments[SECOND][60] ^= 1  # within that record
    pages = read(other)
    assert xids(pages[1]) == ([], [703])


def test_a_flaw_is_said_and_what_lies_beyond_it_is_told() -> None:
    wal = written()
    place = wal.segments[SECOND].find((703).to_bytes(4, "little"))
    wal.segments[SECOND][place] ^= 1
    one, two, three = read(wal)
    assert isinstance(one, Chapter) and isinstance(two, Chapter)
    assert one.flaw is None and two.flaw is not None and two.flaw.startswith("bad_crc: ")
    assert xids(two) == ([702], []) and xids(three) == ([], [704])


def test_what_crossed_counts_among_what_each_transaction_wrote() -> None:
    pages = [page for page in read(written()) if isinstance(page, Chapter)]
    story = tell_story(pages, {}, None)
    (happening,) = find(story, WantedEvents(xid=1399)).happenings
    assert (happening.xid, happening.records, happening.first_lsn) == (702, 1, happening.lsn)
    assert happening.bytes is not None and happening.bytes > 1600
    assert happening.segment == SECOND


def test_along_a_fork_a_parents_records_count_up_to_it_and_its_later_files_not() -> None:
    parent = WalWriter()
    parent.commit(701, 1)
    parent.switch()
    before = parent.commit(702, 2)
    child = parent.fork(2)
    parent.commit(703, 3)  # after the fork: another history
    parent.switch()
    parent.commit(705, 5)
    child.commit(804, 4)
    child.switch()
    child.commit(806, 6)
    fork = before.end_lsn
    path = in_order(path_of(2, history(2, (1, fork))))
    files = {name: bytes(data) for name, data in {**parent.segments, **child.segments}.items()}
    whole = list(read_chapters(wal_of(files), path, Extent(1, 3)))
    assert [xids(page) for page in whole] == [([], [701]), ([], [702, 804]), ([], [806])]
    assert [page.timeline for page in whole if isinstance(page, Chapter)] == [1, 2, 2]
    # Without the child's first file its parent's tells what lies before the fork, and no more.
    del files[segment_name(2, 2, SEGMENT)], files[segment_name(2, 3, SEGMENT)]
    pages = list(read_chapters(wal_of(files), path, Extent(1, 3)))
    assert [xids(page) for page in pages] == [([], [701]), ([], [702]), None]
    assert isinstance(pages[1], Chapter) and pages[1].end_lsn == fork
    assert pages[2].segment == segment_name(2, 3, SEGMENT)
    assert isinstance(whole[0], Chapter)


@pytest.mark.parametrize(("lsn", "kept"), [(0, []), (None, [701, 703]), ("second", [701])])
def test_facts_are_cut_at_an_lsn(lsn, kept: list[int]) -> None:
    wal = WalWriter()
    wal.commit(701, 1)
    second = wal.commit(703, 2)
    wal.point("p", 3)
    (page,) = read(wal, extent=Extent(1, 1))
    assert isinstance(page, Chapter)
    cut = facts_before(page.inside, {"second": second.lsn, None: wal.lsn}.get(lsn, lsn))
    assert [each.xid for each in cut.transactions] == kept
    assert len(cut.restore_points) == (1 if lsn is None else 0)
    empty = replace(page.inside, last_lsn=None)
    assert facts_before(empty, 0) is empty
