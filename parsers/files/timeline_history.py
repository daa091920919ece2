"""Timeline history files: `0000000N.history`, the ancestors of timeline N and where each ended.

Follows readTimeLineHistory in src/backend/access/transam/timeline.c: blank lines and `#` are
skipped, timelines must increase and stay below the file's own, the reason is free text. A file of
zeros is an empty one: no ancestors.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from parsers.errors import UNQUOTED, ParseError
from parsers.files.scanf import Scanner
from parsers.sentences import tr
from parsers.values import dataclass

_SPACE: Final = b" \t\n\v\f\r"  # isspace() in the C locale
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
        if line.strip(_SPACE) and not line.lstrip(_SPACE).startswith(b"#"):
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


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(number, text) as fgets gives them: a long line in parts, each up to its first NUL."""
    for number, line in enumerate(data.split(b"\n"), start=1):
        parts = [line[at : at + _LINE_BYTES] for at in range(0, len(line), _LINE_BYTES)]
        for part in parts:
            yield number, part.split(b"\0", 1)[0]


def _parse_entry(line: bytes, number: int, before: list[HistoryEntry]) -> HistoryEntry:
    scanner = Scanner(line)
    found = cast(list[int], scanner.scan(b"%u\t%X/%X"))
    if len(found) != 3:
        raise HistoryError(
            tr("expected a timeline and a switch LSN, as 1 and 0/3000028"),
            f"syntax error in history file: {UNQUOTED}",
            line=number,
        )
    timeline, high, low = found
    reason = scanner.rest.decode("utf-8", "replace").strip()
    entry = HistoryEntry(timeline=timeline, switch_lsn=high << 32 | low, reason=reason)
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
