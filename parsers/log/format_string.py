"""C format strings, as `redo starts at %X/%X`: literals and conversions, by a pyparsing grammar.

Building the grammar takes longer than a short program: import this where a string is parsed.
"""

from __future__ import annotations

from typing import NamedTuple

import pyparsing as pp

from parsers.errors import ParseError


class Conversion(NamedTuple):
    """One `%` of a format string."""

    argument: int | None  # from `%2$s`; None: the next one
    kind: str  # "lsn", "string", "number", "hex", "seconds", "errno"
    arguments: int  # how many C arguments it takes


# Parse actions take all three arguments: of others pyparsing tries out how many they take, and two
# threads that follow logs must not do that at once.
_POSITION = pp.Optional(pp.Combine(pp.Word(pp.nums) + pp.Suppress("$")))
_FLAGS = pp.Regex(r"[-+ #0]*\d*(?:\.\d+)?(?:hh|h|ll|l|z)?")


def _conversion(letters: str, kind: str, arguments: int = 1) -> pp.ParserElement:
    head = pp.Suppress("%") + _POSITION("argument") + pp.Suppress(_FLAGS)
    return (head + pp.Suppress(pp.Char(letters))).set_parse_action(
        lambda _text, _at, tokens: Conversion(_position(tokens), kind, arguments)
    )


def _position(tokens: pp.ParseResults) -> int | None:
    return int(tokens["argument"]) if "argument" in tokens else None


_LSN_FORMAT = (
    pp.Suppress("%") + _POSITION("argument") + pp.Suppress(pp.Regex(r"X/%(?:\d+\$)?(?:08)?X"))
).set_parse_action(lambda _text, _at, tokens: Conversion(_position(tokens), "lsn", 2))
_SECONDS = (
    pp.Suppress("%") + _POSITION("argument") + pp.Suppress(pp.Regex(r"ld[.,]%(?:\d+\$)?0[23]d"))
).set_parse_action(lambda _text, _at, tokens: Conversion(_position(tokens), "seconds", 2))
_MAX_CHARACTERS = 4096  # the server's longest has 300; what touches is joined one by one
_PERCENT = pp.Literal("%%").set_parse_action(lambda _text, _at, _tokens: "%")
_TEXT = pp.Regex(r"[^%]+")
_FORMAT = (
    pp.ZeroOrMore(
        _PERCENT
        | _LSN_FORMAT
        | _SECONDS
        | _conversion("m", "errno", 0)
        | _conversion("s", "string")
        | _conversion("udic", "number")
        | _conversion("Xx", "hex")
        | _conversion("fgeG", "decimal")
        | _TEXT
    )
    .leave_whitespace()
    .parse_with_tabs()
)
for _element in (_FORMAT, _TEXT, _FLAGS):
    _element.leave_whitespace()
_FORMAT.streamline()


def parse_format(text: str) -> list[str | Conversion]:
    """Read a C format string into literals and conversions. Raises ParseError.

    >>> parse_format("redo starts at %X/%X")
    ['redo starts at ', Conversion(argument=None, kind='lsn', arguments=2)]
    """
    if len(text) > _MAX_CHARACTERS:
        raise ParseError(f"not a format string: {len(text)} characters", offset=_MAX_CHARACTERS)
    try:
        pieces = _FORMAT.parse_string(text, parse_all=True)
    except pp.ParseBaseException as error:
        raise ParseError(f"not a format string: {text!r}", offset=error.loc) from None
    return _join_adjacent(list(pieces))


def _join_adjacent(pieces: list[str | Conversion]) -> list[str | Conversion]:
    """Make one string of conversions that stand side by side: nothing tells their values apart."""
    joined: list[str | Conversion] = []
    for piece in pieces:
        last = joined[-1] if joined else None
        if isinstance(piece, Conversion) and isinstance(last, Conversion):
            joined[-1] = Conversion(last.argument, "string", last.arguments + piece.arguments)
        elif isinstance(piece, str) and isinstance(last, str):
            joined[-1] = last + piece
        else:
            joined.append(piece)
    return joined
