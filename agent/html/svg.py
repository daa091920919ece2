"""From a close-up to what templates/timeline.svg writes down: places in the drawing, and words.

Horizontal places are percents of the width, vertical ones pixels: the drawing takes any width and
its words keep their size. Nothing is coloured here: that is the stylesheet's, by class.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, Protocol

from agent.html.axis import Tick, ticks
from agent.printable import printable
from parsers.sentences import joined, tr
from parsers.values import dataclass
from rules.chart.downsample import CloseUp
from rules.chart.model import Mark, MarkKind, Span, SpanKind, TimelineLane
from rules.chart.spans import clock

AXIS_HEIGHT: Final = 30
LANE_HEIGHT: Final = 92
_MARKS_Y: Final = 34  # in a lane: the middle of its marks
_BAR_Y: Final = 46
_BAR_HEIGHT: Final = 24
_BACKUPS_Y: Final = 74
_DENSITY_HEIGHT: Final = 20
_PICKS: Final = 96  # columns to choose an instant by, when there are few lanes
_PICKS_MAX: Final = 384  # of all lanes together
_GROUND: Final = frozenset({SpanKind.WAL, SpanKind.UNPROVEN, SpanKind.WINDOW})


class Links(Protocol):
    """Where the parts of a drawing lead. None: nowhere."""

    def to_mark(self, mark: Mark) -> str | None: ...

    def to_instant(self, at: datetime, timeline: int) -> str | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A bar: `width` is at least as much as can be seen."""

    classes: str
    x: float
    width: float
    y: int
    height: int
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnMark:
    """A mark, or several as one. The template has a sign for each kind."""

    kind: str
    classes: str
    x: float
    y: int
    width: float  # of what it extends over; 0: an instant
    title: str
    href: str | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """A column that leads to an instant."""

    x: float
    width: float
    title: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkLine:
    """From the parent's bar to this lane's."""

    x: float  # where the parent was left
    begin_x: float  # where this timeline's own WAL begins
    parent_y: int | None  # None: the parent is not drawn
    y: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnLane:
    """One timeline."""

    timeline: int
    origin: str  # where it comes from; empty: it left no other
    y: int
    bar_y: int
    fork: ForkLine | None
    ground: tuple[Shape, ...]  # what lies under the density
    shapes: tuple[Shape, ...]  # what is wrong, over it
    density: str  # a path in 0..240 by 0..20, upside down
    density_y: int
    marks: tuple[DrawnMark, ...]
    picks: tuple[Pick, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """The whole drawing."""

    height: int
    title: str
    summary: str  # for whom cannot see it
    ticks: list[Tick]
    lanes: tuple[DrawnLane, ...]
    now_x: float | None  # None: now is not in this part
    after: str  # how long after the right edge now is; empty: it is in it, or before
    kinds: frozenset[str]  # of spans and marks, for the legend
    bar_height: int = _BAR_HEIGHT
    density_height: int = _DENSITY_HEIGHT
    columns: int = 240


def draw(seen: CloseUp, links: Links, title: str) -> Drawn:
    """Give everything its place."""
    places = {lane.timeline: AXIS_HEIGHT + LANE_HEIGHT * n for n, lane in enumerate(seen.lanes)}
    lanes = tuple(_lane(seen, lane, places, links) for lane in seen.lanes)
    spans = [span for lane in seen.lanes for span in lane.spans]
    marks = [mark for lane in seen.lanes for mark in lane.marks]
    inside = seen.begin <= seen.now <= seen.end
    return Drawn(
        height=AXIS_HEIGHT + LANE_HEIGHT * len(lanes) + 4,
        title=title,
        summary=_summary(seen),
        ticks=ticks(seen.begin, seen.end),
        lanes=lanes,
        now_x=_percent(seen.share(seen.now)) if inside else None,
        after=_after(seen),
        kinds=frozenset({_span_class(span) for span in spans} | {_mark_class(m) for m in marks}),
    )


def _percent(share: float) -> float:
    return round(100 * share, 3)


def _after(seen: CloseUp) -> str:
    seconds = (seen.now - seen.end).total_seconds()
    if seconds <= 0:
        return ""
    if seconds >= 2 * 86400:
        return tr("{count:.0f} days", count=seconds / 86400)
    if seconds >= 2 * 3600:
        return tr("{count:.0f} hours", count=seconds / 3600)
    if seconds >= 2 * 60:
        return tr("{count:.0f} minutes", count=seconds / 60)
    return tr("{count:.0f} seconds", count=seconds)


def _summary(seen: CloseUp) -> str:
    return joined(
        ". ",
        [
            tr(
                "Timeline {timeline}: {spans}",
                timeline=lane.timeline,
                spans=joined("; ", [printable(span.what) for span in _told(lane)])
                or tr("nothing is known of it"),
            )
            for lane in seen.lanes
        ],
    )


def _told(lane: TimelineLane) -> Iterator[Span]:
    """The spans that say more than that there is WAL."""
    return (span for span in lane.spans if span.kind is not SpanKind.WAL)


# -- a lane --------------------------------------------------------------------------------------


def _lane(seen: CloseUp, lane: TimelineLane, places: Mapping[int, int], links: Links) -> DrawnLane:
    y = places[lane.timeline]
    return DrawnLane(
        timeline=lane.timeline,
        origin=_origin(lane),
        y=y,
        bar_y=y + _BAR_Y,
        fork=_fork(seen, lane, places),
        ground=tuple(_shape(seen, span, y) for span in lane.spans if span.kind in _GROUND),
        shapes=tuple(_shape(seen, span, y) for span in lane.spans if span.kind not in _GROUND),
        density=_density(seen.density.get(lane.timeline, ())),
        density_y=y + _BAR_Y + _BAR_HEIGHT - _DENSITY_HEIGHT,
        marks=tuple(_mark(seen, mark, y, links) for mark in lane.marks),
        picks=tuple(_picks(seen, lane, links, max(8, min(_PICKS, _PICKS_MAX // len(places))))),
    )


def _origin(lane: TimelineLane) -> str:
    if lane.parent is None:
        return ""
    if lane.forked_at is None:
        return tr("left timeline {timeline}", timeline=lane.parent)
    at = clock(lane.forked_at)
    if lane.begun_at:
        return tr("left timeline {timeline} at {at}", timeline=lane.parent, at=at)
    # Unread, it is only known what came before.
    return tr("left timeline {timeline} after {at}", timeline=lane.parent, at=at)


def _fork(seen: CloseUp, lane: TimelineLane, places: Mapping[int, int]) -> ForkLine | None:
    if lane.forked_at is None or not seen.begin <= lane.forked_at <= seen.end:
        return None
    parent = places.get(lane.parent) if lane.parent is not None else None
    middle = _BAR_Y + _BAR_HEIGHT // 2
    return ForkLine(
        x=_percent(seen.share(lane.forked_at)),
        begin_x=_percent(seen.share(lane.begun_at or lane.forked_at)),
        parent_y=None if parent is None else parent + _BAR_Y + _BAR_HEIGHT,
        y=places[lane.timeline] + middle,
    )


def _shape(seen: CloseUp, span: Span, y: int) -> Shape:
    x, end = seen.share(span.begin), seen.share(span.end)
    proud = 3 if span.kind in (SpanKind.GAP, SpanKind.DAMAGE) and not span.muted else 0
    return Shape(
        classes=_span_class(span),
        x=_percent(x),
        width=_percent(end - x),
        y=y + _BAR_Y - proud,
        height=_BAR_HEIGHT + 2 * proud,
        title=printable(span.what),
    )


def _span_class(span: Span) -> str:
    return f"{span.kind.value} muted" if span.muted else span.kind.value


def _density(counts: tuple[int, ...]) -> str:
    """How much was committed, as a silhouette; the square root lets little be seen beside much."""
    highest = max(counts, default=0)
    if not highest:
        return ""
    parts = []
    for column, count in enumerate(counts):
        if count:
            height = max(1.0, _DENSITY_HEIGHT * (count / highest) ** 0.5)
            parts.append(f"M{column} {_DENSITY_HEIGHT}v-{height:.1f}h1v{height:.1f}z")
    return "".join(parts)


def _mark(seen: CloseUp, mark: Mark, y: int, links: Links) -> DrawnMark:
    x = seen.share(mark.at)
    until = seen.share(mark.until) if mark.until else x
    return DrawnMark(
        kind=mark.kind.value,
        classes=_mark_class(mark),
        x=_percent(x),
        y=y + (_BACKUPS_Y if mark.kind is MarkKind.BACKUP else _MARKS_Y),
        width=_percent(max(0.0, until - x)),
        title=tr("{what}, {at}", what=printable(mark.what), at=clock(mark.at)),
        href=links.to_mark(mark),
        count=mark.count,
    )


def _mark_class(mark: Mark) -> str:
    return f"{mark.kind.value} {mark.state}".strip()


def _picks(seen: CloseUp, lane: TimelineLane, links: Links, columns: int) -> Iterator[Pick]:
    """Columns over what there is of a lane; what to say of each is said when it is asked for."""
    if not lane.spans:
        return
    first = min(span.begin for span in lane.spans)
    last = max(span.end for span in lane.spans)
    step = (seen.end - seen.begin) / columns
    for column in range(columns):
        begin = seen.begin + column * step
        if begin + step < first or begin > last:
            continue
        at = min(max(begin + step / 2, first), last)
        href = links.to_instant(at, lane.timeline)
        if href is None:
            return
        x = _percent(column / columns)
        width = _percent(1 / columns)
        yield Pick(x=x, width=width, title=tr("Restore to {at}?", at=clock(at)), href=href)
