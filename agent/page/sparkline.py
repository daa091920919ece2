"""A series as a small plot: what is known is drawn step by step, what is not is marked as a hole.

Values only; templates/archiving.html makes SVG of them. One unit of x is one step of the series, y
goes from 0 at the top to `HEIGHT`. The plot begins at zero, so that a small change looks small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Final

from agent.durations import format_duration
from parsers.sentences import tr
from parsers.values import dataclass
from rules.capacity.archiving_history import Series

HEIGHT: Final = 40
_TOP: Final = 2  # the line's own thickness stays inside
_FLOOR: Final = HEIGHT - 2
_FIRST_READING: Final = (0, 1)  # a rate is known from the second on: no hole in what was watched


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """Steps of which nothing is known."""

    x: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparkline:
    """What is drawn, and the same in words."""

    title: str
    width: int  # steps
    lines: tuple[str, ...]  # the `d` of a path for each unbroken run
    areas: tuple[str, ...]  # the same, closed at zero
    holes: tuple[Hole, ...]
    last: str | None  # None: not known
    range: str
    unseen: str | None  # how long nothing was known in all; None: always something

    @property
    def words(self) -> str:
        """The whole plot in one sentence."""
        last = tr("last not known") if self.last is None else tr("last {value}", value=self.last)
        hole = tr("; not known for {time} of it", time=self.unseen) if self.unseen else ""
        words = "{title}: {last}, {range}{hole}"
        return tr(words, title=self.title, last=last, range=self.range, hole=hole)


def sparkline(series: Series, title: str, show: Callable[[float], str]) -> Sparkline | None:
    """Draw a series; None when nothing of it is known. `show` writes a value with its unit."""
    seen = series.seen
    if not seen:
        return None
    runs = list(_runs(series.values))
    top = max(seen)
    drawn = [(x, [_y(value, top) for value in run]) for x, run in runs if run[0] is not None]
    holes = tuple(
        Hole(x=x, width=len(run))
        for x, run in runs
        if run[0] is None and (x, len(run)) != _FIRST_READING
    )
    lines = [(x, _steps(x, ys), len(ys)) for x, ys in drawn]
    unseen = series.step_seconds * sum(hole.width for hole in holes)
    last = series.values[-1]
    return Sparkline(
        title=title,
        width=len(series.values),
        lines=tuple(line for _, line, _ in lines),
        areas=tuple(f"{line}V{_FLOOR}H{x}Z" for x, line, _ in lines),
        holes=holes,
        last=None if last is None else show(last),
        range=_range(show(min(seen)), show(top)),
        unseen=format_duration(unseen) if unseen else None,
    )


def _range(lowest: str, highest: str) -> str:
    if lowest == highest:
        return tr("always {value}", value=lowest)
    return tr("{lowest} to {highest}", lowest=lowest, highest=highest)


def _runs(values: Sequence[float | None]) -> Iterator[tuple[int, list[float | None]]]:
    """Neighbours that are all known, or all not, with the step that they begin at."""
    begin = 0
    for _, group in groupby(values, key=lambda value: value is None):
        run = list(group)
        yield begin, run
        begin += len(run)


def _y(value: float | None, top: float) -> str:
    share = (value or 0) / top if top else 0
    return f"{_FLOOR - share * (_FLOOR - _TOP):.1f}".removesuffix(".0")


def _steps(x: int, ys: Sequence[str]) -> str:
    """`M0 38H1V20H3`: each value is level for its step."""
    path, level = [f"M{x} {ys[0]}"], ys[0]
    for index, y in enumerate(ys):
        if y != level:
            path.append(f"H{x + index}V{y}")
            level = y
    return "".join((*path, f"H{x + len(ys)}"))
