"""Timeline history files: `0000000N.history`, the ancestors of timeline N and where each ended.

Follows readTimeLineHistory in src/backend/access/transam/timeline.c: blank lines and `#` are
skipped, timelines must increase and stay below the file's own, the reason is free text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from parsers.errors import ParseError
from parsers.lsn import parse_lsn

_ENTRY: Final = re.compile(r"\s*(\d{1,10})\s+([0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8})\s*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One ancestor: `timeline` was left at `switch_lsn`."""

    timeline: int
    switch_lsn: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineHistory:
    """The ancestry of one timeline, oldest first. The last entry is its parent."""

    timeline: int
    entries: tuple[HistoryEntry, ...]  # empty: no ancestors

    @property
    def parent(self) -> HistoryEntry | None:
        return self.entries[-1] if self.entries else None


def parse_timeline_history(data: bytes, timeline: int) -> TimelineHistory:
    """Read a history file. `timeline` is the number in its name.

    Raises ParseError, with the line, for what the server refuses with a FATAL.
    """
    entries: list[HistoryEntry] = []
    for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        entries.append(_parse_entry(line, number, entries))
    if entries and entries[-1].timeline >= timeline:
        raise ParseError(
            f"timeline {entries[-1].timeline} cannot be an ancestor of timeline {timeline}"
        )
    return TimelineHistory(timeline=timeline, entries=tuple(entries))


def _parse_entry(line: str, number: int, before: list[HistoryEntry]) -> HistoryEntry:
    match = _ENTRY.match(line)
    if match is None:
        raise ParseError(f"expected a timeline and a switch LSN, found {line!r}", line=number)
    entry = HistoryEntry(
        timeline=int(match[1]), switch_lsn=parse_lsn(match[2]), reason=match[3].strip()
    )
    if before and entry.timeline <= before[-1].timeline:
        raise ParseError(
            f"timeline {entry.timeline} follows {before[-1].timeline}: must increase", line=number
        )
    return entry
