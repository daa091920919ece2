"""The time axis: which part of it is looked at, and where its ticks stand. UTC throughout."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from parsers.sentences import tr
from parsers.values import dataclass

_TICKS_MAX: Final = 8
_EDGE: Final = 0.05  # a label nearer to an edge than this is written inward
_MICROSECOND: Final = timedelta(microseconds=1)

# Zooms by their name in the address; None: everything.
ZOOMS: Final[dict[str, timedelta | None]] = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=31),
    "year": timedelta(days=366),
    "all": None,
}

_STEPS: Final = (
    *(timedelta(milliseconds=n) for n in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *(timedelta(seconds=n) for n in (1, 2, 5, 10, 15, 30)),
    *(timedelta(minutes=n) for n in (1, 2, 5, 10, 15, 30)),
    *(timedelta(hours=n) for n in (1, 2, 3, 6, 12)),
    *(timedelta(days=n) for n in (1, 2, 4, 7, 14)),
)
_MONTHS: Final = (
    tr("Jan"), tr("Feb"), tr("Mar"), tr("Apr"), tr("May"), tr("Jun"),
    tr("Jul"), tr("Aug"), tr("Sep"), tr("Oct"), tr("Nov"), tr("Dec"),
)  # fmt: skip
_MONTH_STEPS: Final = (1, 2, 3, 6, 12, 24, 60, 120, 240)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One line of the axis."""

    x: float  # percent of the width
    label: str
    anchor: str  # start, middle, end
    spare: bool  # where there is little room its label is left out


def ticks(begin: datetime, end: datetime) -> list[Tick]:
    """Between two and nine of them, at round instants; the label says what changes."""
    span = end - begin
    step = next((step for step in _STEPS if span / step <= _TICKS_MAX), None)
    instants = list(_every(begin, end, step) if step else _months(begin, end))
    whole_days = step is None or step >= timedelta(days=1)
    before: datetime | None = None
    found = []
    for number, at in enumerate(instants):
        share = (at - begin) / span
        found.append(
            Tick(
                x=round(100 * share, 3),
                label=_label(at, before, step, whole_days),
                anchor="start" if share < _EDGE else "end" if share > 1 - _EDGE else "middle",
                spare=bool(number % 2),
            )
        )
        before = at
    return found


def _every(begin: datetime, end: datetime, step: timedelta) -> Iterator[datetime]:
    """Multiples of a step, counted from midnight, or from a Monday for weeks."""
    monday = datetime(1990, 1, 1, tzinfo=UTC)
    at = monday + -(-(begin - monday) // step) * step
    while at <= end:
        yield at
        at += step


def _months(begin: datetime, end: datetime) -> Iterator[datetime]:
    months = (end - begin) / timedelta(days=30.44)
    step = next((n for n in _MONTH_STEPS if months / n <= _TICKS_MAX), _MONTH_STEPS[-1])
    number = -(-(begin.year * 12 + begin.month - 1) // step) * step
    while (at := datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)) <= end:
        if at >= begin:
            yield at
        number += step


def _label(at: datetime, before: datetime | None, step: timedelta | None, whole_days: bool) -> str:
    month = _MONTHS[at.month - 1]
    day = tr("{day} {month}", day=at.day, month=month)
    if step is None:
        with_year = tr("{month} {year}", month=month, year=at.year)
        return f"{at:%Y}" if at.month == 1 else with_year if before is None else month
    if whole_days:
        same_year = before and before.year == at.year
        return day if same_year else tr("{day} {year}", day=day, year=at.year)
    if before is not None and before.date() != at.date():
        return day
    if step >= timedelta(minutes=1):
        return f"{at:%H:%M}"
    if step >= timedelta(seconds=1):
        return f"{at:%H:%M:%S}"
    return f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}"


# -- which part is looked at ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisView:
    """A part of the axis."""

    zoom: str  # of ZOOMS
    begin: datetime
    end: datetime


def whole_view(begin: datetime, end: datetime) -> AxisView:
    """Everything."""
    return _with_room(AxisView(zoom="all", begin=begin, end=end))


def view_of(
    begin: datetime, end: datetime, zoom: str, *, until: datetime | None, around: datetime | None
) -> AxisView:
    """The part that a zoom shows of what lies between `begin` and `end`.

    It goes up to an instant, or lies around one; else it is the newest. It never leaves the whole
    by more than half its own length. One that is longer than all shows all.
    """
    length = ZOOMS.get(zoom)
    if length is None or length >= end - begin:
        return whole_view(begin, end)
    if until is None and around is None:
        return _with_room(AxisView(zoom=zoom, begin=end - length, end=end))
    if until is None:
        assert around is not None
        until = around + length / 2
    until = min(max(until, begin + length / 2), end + length / 2)
    return AxisView(zoom=zoom, begin=until - length, end=until)


def _with_room(view: AxisView) -> AxisView:
    """A little on either side, so that nothing sticks to an edge."""
    room = max((view.end - view.begin) / 60, timedelta(seconds=1))
    return AxisView(zoom=view.zoom, begin=view.begin - room, end=view.end + room)


def zooms_for(begin: datetime, end: datetime) -> list[str]:
    """The zooms that show less than all, and all."""
    return [name for name, length in ZOOMS.items() if length is None or length < end - begin]


def round_up(at: datetime, step: timedelta) -> datetime:
    """The next multiple of a step: a view that moves with the clock then stands for a while."""
    epoch = datetime(1990, 1, 1, tzinfo=UTC)
    step = max(step, _MICROSECOND)
    return epoch + -(-(at - epoch) // step) * step
