"""The restorable windows of a cluster, drawn on a time axis."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from weakref import WeakKeyDictionary

from agent.html.axis import AxisView, round_up, view_of, zooms_for
from agent.html.svg import Drawn, draw
from agent.monitor.watched import WatchedCluster
from agent.page.asked import Addresses, Instant, read_end, read_instant, written
from agent.page.visit import Visit
from parsers.sentences import tr
from parsers.values import dataclass
from rules.archive.dated_wal import DatedWalFacts, sane
from rules.chart.downsample import COLUMNS, CloseUp, close_up
from rules.chart.from_report import DRAWN, picture_of
from rules.chart.model import Mark, MarkKind, Picture
from rules.model.facts import ArchiveFacts

_STANDS: Final = timedelta(seconds=10)  # for how long one picture counts as of now


@dataclass(frozen=True, slots=True, kw_only=True)
class Zoom:
    """One way to look at the axis."""

    name: str
    href: str
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What templates/drawing.html shows."""

    drawn: Drawn
    seen: CloseUp
    notes: tuple[str, ...]
    zooms: tuple[Zoom, ...]
    earlier: str | None  # None: there is nothing earlier
    later: str | None
    timelines: tuple[int, ...]


def drawing_of(cluster: WatchedCluster, look: Visit) -> Drawing | None:
    """None while there is nothing that has an instant."""
    picture = _picture_of(cluster, look.now)
    if picture is None:
        return None
    instant = read_instant(look.query)
    mark = _mark_of(instant, cluster, picture)
    begin, end = picture.begin, picture.end
    zoom, around = look.query.get("zoom", "all"), mark.at if mark else None
    view = _steady(view_of(begin, end, zoom, until=read_end(look.query), around=around))
    seen = close_up(_with_mark(picture, mark), view.begin, view.end)
    addresses = Addresses(look.query)
    return Drawing(
        drawn=draw(seen, addresses, tr("Restorable windows of {cluster}", cluster=cluster.name)),
        seen=seen,
        notes=picture.notes,
        zooms=tuple(
            Zoom(name=name, href=addresses.to(zoom=name), current=name == view.zoom)
            for name in zooms_for(begin, end)
        ),
        earlier=_moved(addresses, view, -0.5) if _is_part(view) and view.begin > begin else None,
        later=_moved(addresses, view, 0.5) if _is_part(view) and view.end < end else None,
        timelines=tuple(lane.timeline for lane in picture.lanes),
    )


def _steady(view: AxisView) -> AxisView:
    """The view as it stays for as long as nothing on it would move: then it is not sent again."""
    step = (view.end - view.begin) / COLUMNS
    end = round_up(view.end, step)
    return AxisView(zoom=view.zoom, begin=view.begin + (end - view.end), end=end)


def _is_part(view: AxisView) -> bool:
    return view.zoom != "all"


def _moved(addresses: Addresses, view: AxisView, share: float) -> str:
    end = view.end + share * (view.end - view.begin)
    return addresses.to(zoom=view.zoom, end=written(end))


# -- the picture, and the instant asked for on it ------------------------------------------------

_kept: WeakKeyDictionary[WatchedCluster, tuple[tuple[Any, ...], Picture | None]] = (
    WeakKeyDictionary()
)


def _picture_of(cluster: WatchedCluster, now: datetime) -> Picture | None:
    """Made once of the same facts, for all who look at it."""
    now = round_up(now, _STANDS)
    facts = tuple(cluster.fact(kind) for kind in DRAWN)
    held = _kept.get(cluster)
    if held is not None and held[0][0] == now and all(map(_is, held[0][1:], facts)):
        return held[1]
    picture = picture_of(cluster.case, now) if cluster.fact(ArchiveFacts) else None
    _kept[cluster] = (now, *facts), picture
    return picture


def _is(one: object, other: object) -> bool:
    return one is other


def _mark_of(instant: Instant | None, cluster: WatchedCluster, picture: Picture) -> Mark | None:
    """The instant asked for, on the lane that it is asked of; None: it has no place."""
    if instant is None or instant.goal is None or not picture.lanes:
        return None
    at = instant.at(cluster.fact(DatedWalFacts))
    if at is None:
        return None
    numbers = [lane.timeline for lane in picture.lanes]
    timeline = instant.goal.timeline
    what = tr("asked for: {instant}", instant=instant.target.value)
    return Mark(
        kind=MarkKind.TARGET,
        timeline=next((number for number in numbers if number == timeline), numbers[-1]),
        at=sane(at),
        what=what,
    )


def _with_mark(picture: Picture, mark: Mark | None) -> Picture:
    if mark is None:
        return picture
    lanes = (
        replace(lane, marks=(*lane.marks, mark)) if lane.timeline == mark.timeline else lane
        for lane in picture.lanes
    )
    return replace(picture, lanes=tuple(lanes))
