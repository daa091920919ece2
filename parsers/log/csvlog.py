"""csvlog: one CSV record a message, newlines inside quotes raw.

A torn line (a full disk, a copy cut short, a lost chunk) leaves a quote open, and nothing in what
follows says where it should have been closed. But inside quotes every quote is doubled, and the
server quotes each message: an odd number of quotes after a line's SQLSTATE is a record's own, which
no client's text can have. Reading goes on there.

Follows write_csvlog in src/backend/utils/error/csvlog.c.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from typing import Final

from parsers.errors import Unparsed
from parsers.log.format import LogItem, LogRecord, parse_number
from parsers.log.message_catalogue import ENGLISH, Language
from parsers.sentences import tr

_COLUMNS: Final = frozenset({23, 24, 26})  # up to 12, 13, from 14
_MESSAGE: Final = 13  # its column
_START: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [^,]{1,16},")
_BEFORE_MESSAGE: Final = re.compile(r",[^\W\d_][^,]*,[0-9A-Z]{5},(?P<quotes>\"*)")
_MAX: Final = 4 << 20  # characters of one record
_MAX_LINES: Final = 200  # of a record that begins after a torn one


class CsvReader:
    """Lines of a csvlog."""

    def __init__(self, languages: Iterable[Language] = (ENGLISH,)) -> None:
        self.begun = 0
        self._held: list[str] = []
        self._size = self._quotes = 0
        self._restart: int | None = None  # of what is held: where a record begins after a torn one
        self.use(languages)

    def use(self, languages: Iterable[Language]) -> None:
        self._severities: dict[str, str] = {}
        for language in languages:
            self._severities |= language.severities

    def read(self, line: str) -> Iterator[LogItem]:
        if not self._held and not _START.match(line):
            yield Unparsed(text=line, reason=tr("not a csvlog record"))
            return
        if self._held and begins_record(line):
            if _row(line) is not None:
                yield from self.close()
            else:
                self._restart = len(self._held)
        self._held.append(line)
        self._size += len(line)
        self._quotes += line.count('"')
        if self._quotes % 2 == 0 or self._size > _MAX or self._ends_restart():
            yield from self._take_held()

    def _ends_restart(self) -> bool:
        if self._restart is None or len(self._held) - self._restart > _MAX_LINES:
            return False
        return _row("\n".join(self._held[self._restart :])) is not None

    @property
    def holds(self) -> bool:
        return bool(self._held)

    def close(self) -> Iterator[LogItem]:
        while self._held:
            yield from self._take_held()

    def _take_held(self) -> Iterator[LogItem]:
        """Give what is held; where it is torn, only what stands before another's beginning."""
        held, row = self._held, _row("\n".join(self._held))
        end = len(held) if row is not None or self._restart is None else self._restart
        self._held, self._restart = held[end:], None
        self._size = sum(map(len, self._held))
        self._quotes = sum(line.count('"') for line in self._held)
        yield _torn(held[:end]) if row is None else self._record(row)
        if self._held and _row("\n".join(self._held)) is not None:
            yield from self._take_held()

    def _record(self, row: list[str]) -> LogRecord:
        backend_type = row[23] if len(row) > 23 else None
        return LogRecord(
            severity=self._severities.get(row[11], row[11]),
            message=row[13],
            stamp=row[0],
            pid=parse_number(row[3]),
            backend_type=backend_type or None,
            session=bool(row[1] or row[4]),
            user=row[1] or None,
            database=row[2] or None,
            xid=parse_number(row[10]),
            detail=row[14] or None,
            hint=row[15] or None,
            context=row[18] or None,
            statement=row[19] or None,
        )


def _torn(lines: list[str]) -> Unparsed:
    return Unparsed(text="\n".join(lines), reason=tr("not a whole csvlog record"))


def _row(text: str) -> list[str] | None:
    """The columns of a whole record; None where it is none."""
    row = _columns(text)
    return row if row is not None and len(row) in _COLUMNS else None


def _columns(text: str) -> list[str] | None:
    try:
        return next(csv.reader([text], strict=True), None)
    except csv.Error:
        return None


def begins_record(line: str) -> bool:
    """Tell whether a record surely begins with this line, whatever stands before it."""
    before = _BEFORE_MESSAGE.search(line) if _START.match(line) else None
    if before is None or len(before["quotes"]) % 2 == 0:
        return False
    if _row(line) is not None:
        return True
    opened = _columns(line + '"')  # its message, or a later part, goes on in the next line
    return opened is not None and _MESSAGE < len(opened) < max(_COLUMNS)


def looks_like_csv(line: str) -> bool:
    """Tell whether a line begins a csvlog record."""
    return bool(_START.match(line)) and line.count(",") >= 11
