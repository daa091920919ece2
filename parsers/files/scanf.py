"""What fscanf takes, as the GNU C library reads it: the server reads small files of its own by it.

More is taken than was ever written: white space may be any, none included; a number may have a
sign, and one in base 16 a 0x, which is a zero where it is alone; what is too long loses its upper
bits. What does not match stays where it stands, half read, and the next call goes on from there.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_DIRECTIVE: Final = re.compile(rb"\s+|%([0-9]*)(X|u|s|c|\[\^\n\])|[^%]", re.DOTALL)
_SHAPES: Final = {  # after the white space that most of them skip; a sign alone is no number
    b"X": re.compile(rb"\s*+([+-]?+(?:0x[0-9A-F]*+|[0-9A-F]*+))", re.IGNORECASE),
    b"u": re.compile(rb"\s*+([+-]?+[0-9]*+)"),
    b"s": re.compile(rb"\s*+(\S*+)"),
    b"c": re.compile(rb"(.?)", re.DOTALL),
    b"[^\n]": re.compile(rb"([^\n]*+)"),
}
_SPACE: Final = re.compile(rb"\s*+")
_GREATEST: Final = 0xFFFFFFFF  # an unsigned int
_LONG_DIGITS: Final = 20  # of the greatest number of 64 bits, in base 10


class Scanner:
    """A file that is read by one call of fscanf after the other."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def rest(self) -> bytes:
        """What was not read yet."""
        return self._data[self._at :]

    def scan(self, form: bytes) -> list[int | bytes]:
        """Read what one format says, as far as it matches: numbers, and texts up to their NUL."""
        found: list[int | bytes] = []
        for kind, width in _directives(form):
            if kind.isspace():
                self._skip(_SPACE)
            elif kind in _SHAPES:
                value = self._convert(kind, width)
                if value is None:
                    break
                found.append(value)
            elif self._data.startswith(kind, self._at):
                self._at += 1
            else:
                break
        return found

    def _skip(self, shape: re.Pattern[bytes]) -> None:
        match = shape.match(self._data, self._at)
        assert match is not None, "it matches nothing as well"
        self._at = match.end()

    def _convert(self, kind: bytes, width: int | None) -> int | bytes | None:
        if kind in (b"X", b"u", b"s"):
            self._skip(_SPACE)
        end = len(self._data) if width is None else self._at + width
        match = _SHAPES[kind].match(self._data, self._at, end)
        assert match is not None, "it matches nothing as well"
        self._at, text = match.end(), match[1]
        if not text or (text in (b"+", b"-") and kind in (b"X", b"u")):
            return None
        if kind in (b"X", b"u"):
            return _unsigned(text.decode(), 16 if kind == b"X" else 10)
        return text if kind == b"c" else text.split(b"\0", 1)[0]


@lru_cache
def _directives(form: bytes) -> tuple[tuple[bytes, int | None], ...]:
    """(what to read, at most so many bytes): a conversion, white space, or a byte as it is."""
    found: list[tuple[bytes, int | None]] = []
    for match in _DIRECTIVE.finditer(form):
        width = int(match[1]) if match[1] else 1 if match[2] == b"c" else None
        found.append((match[2] or match[0], width))
    return tuple(found)


def _unsigned(text: str, base: int) -> int:
    """As strtoul() reads it, in the lower half of its 64 bits."""
    digits = text.lstrip("+-").lower().removeprefix("0x").lstrip("0")
    number = int(digits or "0", base) if len(digits) <= _LONG_DIGITS else 1 << 64
    if number >= 1 << 64:
        return _GREATEST
    return (-number if text.startswith("-") else number) & _GREATEST
