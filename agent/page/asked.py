"""What an address asks of the time axis: which part of it, and an instant to restore to.

`zoom`, `end`: the part that is drawn. `at` (a time as PostgreSQL reads it, UTC where it has no
zone) or `point` (a restore point), with `timeline`, `inclusive` and `action`: the instant.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from agent.html.axis import ZOOMS
from agent.zones import find_zone
from parsers.errors import ParseError
from parsers.values import dataclass
from parsers.wal.facts import instant
from rules.archive.dated_wal import DatedWalFacts, time_of_point
from rules.chart.model import Mark, MarkKind
from rules.model.goal import Goal, read_goal
from rules.model.target import Target

_NAMES: Final = ("zoom", "end", "at", "point", "timeline", "inclusive", "action")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant:
    """An instant asked for, read; or why it cannot be."""

    target: Target
    goal: Goal | None
    error: str = ""  # empty: `goal` is there

    def at(self, dated: DatedWalFacts | None) -> datetime | None:
        """When that is; of a restore point the WAL tells. None: it does not, or was not read."""
        goal = self.goal
        if goal is None:
            return None
        if goal.time_us is not None:
            return instant(goal.time_us)
        return time_of_point(dated, goal.name or "", goal.timeline) if dated else None


def read_instant(query: Mapping[str, str]) -> Instant | None:
    """None where none is asked for."""
    at, point = query.get("at", "").strip(), query.get("point", "")
    if not at and not point:
        return None
    target = Target(
        type="time" if at else "name",
        value=at or point,
        timeline=query.get("timeline", "latest"),
        inclusive=query.get("inclusive") != "off",
        action=query.get("action", "promote"),
    )
    try:
        goal = read_goal(target, zone=UTC, find_zone=find_zone)
    except ParseError as error:
        return Instant(target=target, goal=None, error=error.message)
    return Instant(target=target, goal=goal)


def read_end(query: Mapping[str, str]) -> datetime | None:
    """Where the part that is drawn ends; None: not asked for, or not to be read."""
    try:
        end = datetime.fromisoformat(query.get("end", ""))
    except ValueError:
        return None
    return end if end.tzinfo else end.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Links from one view to another: what they do not change stays as it is."""

    query: Mapping[str, str]

    def to(self, anchor: str = "windows", **changed: str | None) -> str:
        """The same address but for what is changed; None leaves one out."""
        kept: dict[str, str | None] = {n: self.query[n] for n in _NAMES if n in self.query}
        asked = {name: value for name, value in (kept | changed).items() if value}
        return f"?{urlencode(asked)}#{anchor}"

    def to_instant(self, at: datetime, timeline: int) -> str:
        return self.to(
            "instant", at=written(at), point=None, timeline=str(timeline), inclusive=None
        )

    def to_mark(self, mark: Mark) -> str:
        """A restore point is asked for by its name; of a backup, the end; of several, a look."""
        if mark.count > 1 and mark.until is not None and mark.until > mark.at:
            return self.to(end=written(mark.until + (mark.until - mark.at) / 4), zoom=_closer(mark))
        if mark.kind is MarkKind.RESTORE_POINT:
            timeline = str(mark.timeline)
            return self.to("instant", point=mark.name, at=None, timeline=timeline, inclusive=None)
        return self.to_instant(mark.until or mark.at, mark.timeline)


def _closer(mark: Mark) -> str:
    """The smallest zoom that shows all that was merged into a mark."""
    assert mark.until is not None
    extent = 1.5 * (mark.until - mark.at)
    return next((name for name, length in ZOOMS.items() if length and length >= extent), "all")


def written(at: datetime) -> str:
    """An instant for an address, to the microsecond."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
