"""How a parser says that it could not read something.

    ParseError          the whole input is not what its name promises
    Unparsed            one piece of a stream that nothing could read: yielded, never lost

Parsers raise `ParseError` and nothing else, whatever the bytes.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from parsers.sentences import tr

# Stands in a message of the server for what it copies from a file. We copy nothing: who can lay a
# file into an archive may have us read another's.
UNQUOTED: Final = "…"


class ParseError(ValueError):
    """The input breaks the format. `where` is "line 3" or "offset 0x28", or None for the whole."""

    def __init__(self, message: str, *, line: int | None = None, offset: int | None = None) -> None:
        self.message = message
        self.line = line  # 1-based; None when the format has no lines
        self.offset = offset  # bytes from the start; None when the format is text
        where = self.where
        super().__init__(
            tr("{where}: {message}", where=where, message=message) if where else message
        )

    @property
    def where(self) -> str | None:
        if self.line is not None:
            return tr("line {line}", line=self.line)
        if self.offset is not None:
            return tr("offset {offset:#x}", offset=self.offset)
        return None


class Unparsed(NamedTuple):  # no dataclass, as parsers.segment.WalName
    """A piece of a stream that no rule could read, kept as it came."""

    text: str
    reason: str
