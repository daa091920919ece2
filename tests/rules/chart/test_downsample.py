"""What is drawn of a picture stays little, however much there is, and nothing goes missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from parsers.wal.facts import DatedPlace
from rules.chart.downsample import COLUMNS, LANES_MAX, close_up
from rules.chart.model import Mark, MarkKind, Picture, Span, SpanKind, TimelineLane

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
END = BEGIN + timedelta(days=365)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def at(share: float) -> datetime:
    return BEGIN + share * (END - BEGIN)


def lane(timeline: int = 1, **changed: object) -> TimelineLane:
    values: dict[str, object] = {
        "timeline": timeline, "parent": None, "forked_at": None, "begun_at": BEGIN,
        "spans": (Span(kind=SpanKind.WAL, begin=BEGIN, end=END, what="wal"),), "marks": (),
    }  # fmt: skip
    return TimelineLane(**(values | changed))  # type: ignore[arg-type]


def picture(*lanes: TimelineLane) -> Picture:
    return Picture(begin=BEGIN, end=END, now=END, lanes=lanes)


def backup(share: float, state: str = "restorable") -> Mark:
    begun = at(share)
    return Mark(
        kind=MarkKind.BACKUP, timeline=1, at=begun, until=begun + timedelta(minutes=5),
        state=state, what=f"backup {share}",
    )  # fmt: skip


def gap(first: float, last: float, **changed: object) -> Span:
    return Span(kind=SpanKind.GAP, begin=at(first), end=at(last), what="gap", **changed)  # type: ignore[arg-type]


def test_a_year_of_daily_backups_and_of_restore_points_is_few_marks() -> None:
    daily = [backup(day / 365) for day in range(365)]
    points = [
        Mark(kind=MarkKind.RESTORE_POINT, timeline=1, at=at(n / 50_000), what=f"p{n}", name=f"p{n}")
        for n in range(50_000)
    ]
    (seen,) = close_up(picture(lane(marks=(*daily, *points))), BEGIN, END).lanes
    assert len(seen.marks) <= 2 * COLUMNS / 2 + 2
    for kind, count in ((MarkKind.BACKUP, 365), (MarkKind.RESTORE_POINT, 50_000)):
        assert sum(mark.count for mark in seen.marks if mark.kind is kind) == count


def test_what_is_bad_is_never_merged_into_what_is_good() -> None:
    marks = (backup(0.5), backup(0.5001, "not_restorable"), backup(0.5002))
    (seen,) = close_up(picture(lane(marks=marks)), BEGIN, END).lanes
    assert {(mark.state, mark.count) for mark in seen.marks} == {
        ("restorable", 2), ("not_restorable", 1)
    }  # fmt: skip


def test_ten_thousand_gaps_are_few_and_all_counted() -> None:
    gaps = [gap(n / 10_000, (n + 0.5) / 10_000) for n in range(10_000)]
    harmless = [gap(n / 10_000, (n + 0.5) / 10_000, muted=True) for n in range(10_000)]
    (seen,) = close_up(picture(lane(spans=(*gaps, *harmless))), BEGIN, END).lanes
    for muted in (False, True):
        spans = [span for span in seen.spans if span.muted is muted]
        assert len(spans) <= COLUMNS
        assert sum(span.count for span in spans) == 10_000
        assert not any(span.exact for span in spans)


def test_a_part_holds_what_meets_it_and_is_cut_to_it() -> None:
    spans = (gap(0.1, 0.2), gap(0.4, 0.6), gap(0.8, 0.9))
    marks = (backup(0.1), backup(0.45))
    (seen,) = close_up(picture(lane(spans=spans, marks=marks)), at(0.5), at(0.7)).lanes
    assert [(span.begin, span.end) for span in seen.spans] == [(at(0.5), at(0.6))]
    assert not seen.marks
    assert not close_up(picture(lane(spans=spans)), at(0.25), at(0.3)).lanes


def test_the_newest_timelines_are_kept_and_the_others_counted() -> None:
    seen = close_up(picture(*(lane(number) for number in range(1, 101))), BEGIN, END)
    assert [each.timeline for each in seen.lanes] == list(range(101 - LANES_MAX, 101))
    assert seen.left_out == 100 - LANES_MAX


def test_transactions_are_counted_where_they_ended() -> None:
    def place(share: float, count: int) -> DatedPlace:
        return DatedPlace(
            int(share * 1000), (at(share) - EPOCH) // timedelta(microseconds=1), count
        )

    places = (place(0.001, 7), place(0.5, 30), place(0.501, 12))
    counts = close_up(picture(lane(places=places)), BEGIN, END).density[1]
    assert (counts[0], counts[COLUMNS // 2], sum(counts)) == (7, 42, 49)


def test_an_empty_part_is_refused() -> None:
    with pytest.raises(ValueError, match="must begin before"):
        close_up(picture(lane()), END, END)
