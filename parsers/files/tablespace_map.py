"""`tablespace_map`: where the tablespaces of a base backup were, by OID.

Follows read_tablespace_map in src/backend/access/transam/xlogrecovery.c: one line a tablespace, OID
and path apart by one space; a backslash makes the character after it plain, line ends included. In
13 it did so for line ends alone, and a path's own backslashes were written as they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from parsers.errors import ParseError
from parsers.sentences import tr

# A line: escaped characters, or others that are neither a backslash nor a line end.
_LINE: Final = re.compile(rb"((?:\\.|[^\\\r\n])*)([\r\n])", re.DOTALL)
_LINE_13: Final = re.compile(rb"((?:\\[\r\n]|[^\r\n])*)([\r\n])")
_ENTRY: Final = re.compile(rb"([0-9]{1,10}) (.+)\Z", re.DOTALL)
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)
_ESCAPED_13: Final = re.compile(rb"\\([\r\n])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tablespace:
    """One line: the link `pg_tblspc/<oid>` pointed to `path`."""

    oid: int
    path: str  # bytes that are no UTF-8 as surrogate escapes


def parse_tablespace_map(data: bytes, *, major: int) -> tuple[Tablespace, ...]:
    """Read the tablespace_map of a server of this major version.

    Raises ParseError, with the line, where the server would FATAL.
    """
    shape, escaped = (_LINE, _ESCAPED) if major >= 14 else (_LINE_13, _ESCAPED_13)
    entries: list[Tablespace] = []
    at, line = 0, 1
    while at < len(data):
        match = shape.match(data, at)
        if match is None:
            raise ParseError(tr("line does not end: cut short?"), line=line)
        if match[1]:
            entries.append(_entry(escaped.sub(rb"\1", match[1]), line))
        line += match[0].count(b"\n")
        at = match.end()
    return tuple(entries)


def _entry(text: bytes, line: int) -> Tablespace:
    match = _ENTRY.match(text)
    if match is None:
        raise ParseError(tr("expected an OID, one space and a path"), line=line)
    return Tablespace(oid=int(match[1]), path=match[2].decode("utf-8", "surrogateescape"))
