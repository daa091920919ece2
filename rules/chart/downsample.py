"""A part of the picture, with no more in it than can be told apart at its size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, TypeVar

from parsers.sentences import tr
from parsers.values import dataclass
from rules.archive.dated_wal import Places, sane_instant
from rules.chart.model import Mark, Picture, Span, SpanKind, TimelineLane

T = TypeVar("T")
K = TypeVar("K")

LANES_MAX: Final = 24
COLUMNS: Final = 240  # what is nearer to each other than one of these is drawn as one
_ALONE: Final = frozenset({SpanKind.WAL, SpanKind.WINDOW})  # unless there are very many


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseUp:
    """What is drawn of a picture between two instants."""

    begin: datetime
    end: datetime
    now: datetime
    lanes: tuple[TimelineLane, ...]
    left_out: int  # timelines that there is no room for
    density: dict[int, tuple[int, ...]]  # timeline -> transactions in each of COLUMNS

    def share(self, at: datetime) -> float:
        """Where an instant lies between begin (0) and end (1), kept within."""
        return min(1.0, max(0.0, (at - self.begin) / (self.end - self.begin)))


def close_up(picture: Picture, begin: datetime, end: datetime) -> CloseUp:
    """Cut and merge. Raises ValueError unless begin comes before end."""
    if begin >= end:
        raise ValueError("a view must begin before it ends")
    step = (end - begin) / COLUMNS
    lanes = [_cut(lane, begin, end, step) for lane in picture.lanes if _meets(lane, begin, end)]
    kept = lanes[-LANES_MAX:]
    return CloseUp(
        begin=begin,
        end=end,
        now=picture.now,
        lanes=tuple(kept),
        left_out=len(lanes) - len(kept),
        density={lane.timeline: _density(lane.places, begin, step) for lane in kept},
    )


def _meets(lane: TimelineLane, begin: datetime, end: datetime) -> bool:
    return any(span.begin <= end and begin <= span.end for span in lane.spans) or any(
        mark.at <= end and begin <= (mark.until or mark.at) for mark in lane.marks
    )


def _cut(lane: TimelineLane, begin: datetime, end: datetime, step: timedelta) -> TimelineLane:
    spans = [
        replace(span, begin=max(span.begin, begin), end=min(span.end, end))
        for span in lane.spans
        if span.begin <= end and begin <= span.end
    ]
    marks = [mark for mark in lane.marks if mark.at <= end and begin <= (mark.until or mark.at)]
    return replace(
        lane, spans=tuple(_merge_spans(spans, step)), marks=tuple(_merge_marks(marks, step))
    )


def _merge_spans(spans: Iterable[Span], step: timedelta) -> Iterator[Span]:
    """Spans that look alike, with less than a step between them, as one; none goes missing."""
    for (kind, _), alike in _grouped(spans, lambda span: (span.kind, span.muted)):
        if kind in _ALONE and len(alike) <= COLUMNS:
            yield from alike
            continue
        for near in _near(alike, step, lambda span: (span.begin, span.end)):
            yield near[0] if len(near) == 1 else _one_span(near)


def _one_span(near: Sequence[Span]) -> Span:
    count = sum(span.count for span in near)
    return replace(
        near[0],
        end=max(span.end for span in near),
        count=count,
        exact=False,
        what=tr("{count} of them here, the first: {first}", count=count, first=near[0].what),
    )


def _merge_marks(marks: Iterable[Mark], step: timedelta) -> Iterator[Mark]:
    for _, alike in _grouped(marks, lambda mark: (mark.kind, mark.state)):
        for near in _near(alike, 2 * step, lambda mark: (mark.at, mark.at)):
            yield near[0] if len(near) == 1 else _one_mark(near)


def _one_mark(near: Sequence[Mark]) -> Mark:
    first, last = near[0], near[-1]
    return replace(
        first,
        until=max(mark.until or mark.at for mark in near),
        count=len(near),
        what=tr(
            "{count} of them here, from {first} to {last}",
            count=len(near),
            first=first.what,
            last=last.what,
        ),
    )


def _grouped(items: Iterable[T], key: Callable[[T], K]) -> Iterator[tuple[K, list[T]]]:
    groups: dict[K, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    yield from groups.items()


def _near(
    items: Iterable[T], step: timedelta, extent: Callable[[T], tuple[datetime, datetime]]
) -> Iterator[list[T]]:
    """Runs of items, given by their begin, of which each begins less than a step after the one
    before; a run is no longer than four steps, unless one of them is.
    """
    run: list[T] = []
    for item in items:
        begin = extent(item)[0]
        if run and begin - extent(run[-1])[1] < step and begin - extent(run[0])[0] < 4 * step:
            run.append(item)
            continue
        if run:
            yield run
        run = [item]
    if run:
        yield run


def _density(places: Places, begin: datetime, step: timedelta) -> tuple[int, ...]:
    """How many transactions ended in each column."""
    counts = [0] * COLUMNS
    for place in places:
        if place.transactions:
            column = (sane_instant(place.time_us) - begin) // step
            if 0 <= column < COLUMNS:
                counts[column] += place.transactions
    return tuple(counts)
