"""Timeline history files: `0000000N.history`, the ancestors of timeline N and where each ended.

Follows readTimeLineHistory in src/backend/access/transam/timeline.c: blank lines and `#` are
skipped, timelines must increase and stay below the file's own, the reason is free text. A file of
zeros is an empty one: no ancestors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from parsers.errors import UNQUOTED, ParseError
from parsers.sentences import tr

# sscanf's "%u\\t%X/%X": white space may be any, none included, but for that before the slash; each
# number may have a sign, and those in base 16 a 0x, which glibc takes for a zero where it is alone.
_HEX: Final = r"([+-]?+(?:0x[0-9A-F]*+|[0-9A-F]++))"
_ENTRY: Final = re.compile(
    rf"\s*+([+-]?+[0-9]++)\s*+{_HEX}/\s*+{_HEX}\s*+(.*)", re.DOTALL | re.IGNORECASE | re.ASCII
)
_GREATEST: Final = 0xFFFFFFFF  # an unsigned int; what is longer loses its upper bits
_SPACE: Final = " \t\n\v\f\r"  # isspace() in the C locale
_LINE_BYTES: Final = 1023  # MAXPGPATH, less its NUL
_RESTORED: Final = "pg_wal/RECOVERYHISTORY"  # under which name a file from the archive is read


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


class HistoryError(ParseError):
    """What the server refuses. `fatal` is its message, less the line that it copies."""

    def __init__(self, message: str, fatal: str, *, line: int | None = None) -> None:
        super().__init__(message, line=line)
        self.fatal = fatal


def parse_timeline_history(data: bytes, timeline: int) -> TimelineHistory:
    """Read a history file. `timeline` is the number in its name.

    Raises HistoryError, with the line, for what the server refuses with a FATAL.
    """
    entries: list[HistoryEntry] = []
    for number, line in _lines(data):
        if line.strip(_SPACE) and not line.lstrip(_SPACE).startswith("#"):
            entries.append(_parse_entry(line, number, entries))
    if entries and entries[-1].timeline >= timeline:
        raise HistoryError(
            tr(
                "timeline {ancestor} cannot be an ancestor of timeline {timeline}",
                ancestor=entries[-1].timeline,
                timeline=timeline,
            ),
            f'invalid data in history file "{_RESTORED}"',
        )
    return TimelineHistory(timeline=timeline, entries=tuple(entries))


def _lines(data: bytes) -> Iterator[tuple[int, str]]:
    """(number, text) as fgets gives them: a long line in parts, each up to its first NUL."""
    for number, line in enumerate(data.split(b"\n"), start=1):
        parts = [line[at : at + _LINE_BYTES] for at in range(0, len(line), _LINE_BYTES)]
        for part in parts:
            yield number, part.split(b"\0", 1)[0].decode("utf-8", "replace")


def _parse_entry(line: str, number: int, before: list[HistoryEntry]) -> HistoryEntry:
    match = _ENTRY.match(line)
    if match is None:
        raise HistoryError(
            tr("expected a timeline and a switch LSN, as 1 and 0/3000028"),
            f"syntax error in history file: {UNQUOTED}",
            line=number,
        )
    high, low = (_unsigned(digits, 16) for digits in match.group(2, 3))
    entry = HistoryEntry(
        timeline=_unsigned(match[1], 10), switch_lsn=high << 32 | low, reason=match[4].strip()
    )
    if before and entry.timeline <= before[-1].timeline:
        raise HistoryError(
            tr(
                "timeline {timeline} follows {before}: must increase",
                timeline=entry.timeline,
                before=before[-1].timeline,
            ),
            f"invalid data in history file: {UNQUOTED}",
            line=number,
        )
    return entry


def _unsigned(text: str, base: int) -> int:
    """As strtoul() reads it, in the lower half of its 64 bits."""
    digits = text.lstrip("+-").lower().removeprefix("0x")
    number = int(digits or "0", base)
    if number >= 1 << 64:
        return _GREATEST
    return (-number if text.startswith("-") else number) & _GREATEST
