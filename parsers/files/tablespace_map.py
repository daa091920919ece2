"""`tablespace_map`: where the tablespaces of a base backup were, by OID.

Follows read_tablespace_map in src/backend/access/transam/xlogrecovery.c: one line a tablespace, OID
and path apart by one space; a backslash makes the character after it plain, line ends included.

In 13 it did so for line ends alone, and a path's own backslashes were written as they are; a last
line without an end counted for nothing there, and an empty line was refused.
"""

from __future__ import annotations

import re
from typing import Final

from parsers.errors import ParseError
from parsers.sentences import tr
from parsers.values import dataclass

# A line: escaped characters, or others that are neither a backslash nor a line end.
_LINE: Final = re.compile(rb"((?:\\.|[^\\\r\n])*+)([\r\n])", re.DOTALL)
_LINE_13: Final = re.compile(rb"((?:\\[\r\n]|[^\r\n])*+)([\r\n]|\Z)")
_ENTRY: Final = re.compile(rb"([^ \0]+)[ \0](.+)\Z", re.DOTALL)
_ENTRY_13: Final = re.compile(rb"\s*(\S+)\s*(.*)\Z", re.DOTALL)  # "%s %n"
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)
_ESCAPED_13: Final = re.compile(rb"\\([\r\n])")
_NUMBER: Final = re.compile(rb"\s*[+-]?0*([0-9]{1,20})\Z")  # strtoul, since 17
_OID: Final = re.compile(rb"[1-9][0-9]{0,9}\Z")  # to 16 the link was named as it stands there
_BY_NUMBER: Final = 17
_LINE_BYTES: Final = 1023  # MAXPGPATH, less its NUL; the rest is not kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Tablespace:
    """One line: the link `pg_tblspc/<oid>` pointed to `path`."""

    oid: int
    path: str  # bytes that are no UTF-8 as surrogate escapes


def parse_tablespace_map(data: bytes, *, major: int) -> tuple[Tablespace, ...]:
    """Read the tablespace_map of a server of this major version.

    Raises ParseError, with the line, where the server would FATAL; and for what is no OID, of which
    a server to 16 made a link that nothing looks for.
    """
    entries: list[Tablespace] = []
    at, line = 0, 1
    while at < len(data):
        match = (_LINE if major >= 14 else _LINE_13).match(data, at)
        if match is None:
            raise ParseError(tr("line does not end: cut short?"), line=line)
        if major < 14 and match[2]:
            entries.append(_entry(_ESCAPED_13.sub(rb"\1", match[1]), line, major))
        elif major >= 14 and match[1]:
            entries.append(_entry(_ESCAPED.sub(rb"\1", match[1])[:_LINE_BYTES], line, major))
        line += match[0].count(b"\n")
        at = match.end()
    return tuple(entries)


def _entry(text: bytes, line: int, major: int) -> Tablespace:
    if major < 14:  # a C string, in which the path ends at a NUL as well
        text = text.split(b"\0", 1)[0]
    match = (_ENTRY if major >= 14 else _ENTRY_13).match(text)
    oid = _oid(match[1], major) if match else None
    path = match[2].split(b"\0", 1)[0] if match else b""
    if oid is None or not path:
        raise ParseError(tr("expected an OID, one space and a path"), line=line)
    return Tablespace(oid=oid, path=path.decode("utf-8", "surrogateescape"))


def _oid(text: bytes, major: int) -> int | None:
    if major < _BY_NUMBER:
        return int(text) if _OID.match(text) else None
    match = _NUMBER.match(text)
    number = int(match[1]) if match else 1 << 64
    if number >= 1 << 64:
        return None
    return (-number if b"-" in text else number) & 0xFFFFFFFF
