"""What retention takes of the window: an instant that was restorable and is no more.

A cut is a window that begins later than it did because the backup that it began at is gone. A gap
or damage moves its beginning too, but leaves the backup where it is: that is no retention.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from datetime import datetime
from typing import Final

from parsers.values import dataclass
from rules.model.evidence import WindowsFacts

_KEPT_MAX: Final = 60  # cuts: two months of daily ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """One deletion, as it was noticed."""

    at: datetime
    left_seconds: float  # how far back the window reached just after it


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowCuts:
    """What was noticed of one cluster; it outlives the agent."""

    earliest: datetime | None = None  # where the window began when it was last seen
    backup: str | None = None  # at which: its url
    cuts: tuple[Cut, ...] = ()  # oldest first
    # Goals found broken of which nothing tells since when: when each was found so first.
    broken: Mapping[str, datetime] = field(default_factory=dict)


def follow_window(before: WindowCuts, windows: WindowsFacts, now: datetime) -> WindowCuts:
    """Add what the windows say now; the same value where nothing changed."""
    latest = windows.latest
    if latest is None or latest.from_time is None or None in windows.by_backup.values():
        return before
    begins_at = next(url for url, own in windows.by_backup.items() if latest in (own or ()))
    if (latest.from_time, begins_at) == (before.earliest, before.backup):
        return before
    seen = replace(before, earliest=latest.from_time, backup=begins_at)
    later = before.earliest is not None and latest.from_time > before.earliest
    if not later or before.backup in windows.by_backup:
        return seen
    left = (now - latest.from_time).total_seconds()
    return replace(seen, cuts=(*before.cuts, Cut(at=now, left_seconds=left))[-_KEPT_MAX:])
