"""Which segments hold the WAL of an instant, whatever the order of the commits' times."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parsers.segment import segment_name
from parsers.wal.facts import RestorePoint
from rules.events.coverage import find_coverage
from rules.events.path_segments import Chapter, MissingSegment
from rules.model.restore_inputs import Wal
from tests.rules.events.stories import SIZE, chapter, commit

WAL = Wal(
    segment_size=SIZE, names=(), archived=lambda name: None,
    find_record=lambda name, lsn, begin_lsn: None,
)  # fmt: skip


def page(number: int, times: list[int] | None, flaw: str | None = None) -> Chapter | MissingSegment:
    if times is None:
        return MissingSegment(segment=segment_name(1, number, SIZE), number=number)
    happened = [commit(number * SIZE + 100 * n, at, 700) for n, at in enumerate(times, 1)]
    if len(times) > 2:  # one has crossed into the segment, one is a restore point
        first, *happened, last = happened
        point = RestorePoint(last.lsn, last.end_lsn, last.time_us, "p")
        return chapter(number, *happened, point, crossing=[first], flaw=flaw)
    return chapter(number, *happened, flaw=flaw)


TIMES = st.lists(st.none() | st.lists(st.integers(0, 20), max_size=4), max_size=8)


@given(TIMES, st.integers(0, 20))
def test_the_run_ends_where_everything_beyond_it_is_older_or_newer(
    times: list[list[int] | None], at_us: int
) -> None:
    pages = [page(number, each) for number, each in enumerate([[3], *times, [0]], 1)]
    chapters = [each for each in pages if isinstance(each, Chapter)]
    holes = [each for each in pages if isinstance(each, MissingSegment)]
    found = find_coverage(at_us, chapters, holes, WAL)
    numbers = [each.number for each in pages]
    run = [numbers[[p.segment for p in pages].index(each.segment)] for each in found.segments]
    before = [
        n for n, each in enumerate([[3], *times, [0]], 1) if any(t <= at_us for t in each or ())
    ]
    after = [
        n for n, each in enumerate([[3], *times, [0]], 1) if any(t > at_us for t in each or ())
    ]
    assert found.is_known == bool(before and after)
    if before and after:
        first, last = sorted((before[-1], after[0]))
        assert run == list(range(first, last + 1))
    else:
        assert run == before[-1:]
    assert found.next_segment == (
        chapters[-1].segment[:16] + f"{len(pages) + 1:08X}" if before and not after else None
    )
    for each in found.segments:
        known = pages[numbers.index(int(each.segment[16:], 16))]
        assert each.is_held == isinstance(known, Chapter)


def test_a_segment_says_its_times_and_what_is_wrong_with_it() -> None:
    found = find_coverage(7, [page(1, [4, 2]), page(2, [5, 3, 9, 6], "bad_crc: x")], [], WAL)  # type: ignore[list-item]
    (one,) = found.segments
    assert (one.first_us, one.last_us, one.flaw, one.is_held) == (3, 9, "bad_crc: x", True)
    hole = page(2, None)
    found = find_coverage(7, [page(1, [4]), page(3, [8])], [hole], WAL)  # type: ignore[list-item]
    assert [(each.is_held, each.first_us, each.flaw) for each in found.segments] == [
        (True, 4, None), (False, None, None), (True, 8, None),
    ]  # fmt: skip
