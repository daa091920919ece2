"""One line of `postgresql.conf` by a grammar, with all that the server's scanner allows in it.

Follows src/backend/utils/misc/guc-file.l, as `parsers.files.server_conf`, which imports this for
the few lines that are not plain: building the grammar takes longer than a short program.
"""

from __future__ import annotations

import re
from typing import Final

import pyparsing as pp

from parsers.errors import ParseError
from parsers.sentences import tr

# -- the scanner's tokens ------------------------------------------------------------------------

_LETTER: Final = r"A-Za-z_\u0080-\U0010ffff"
_ID: Final = rf"[{_LETTER}][{_LETTER}0-9]*"
_MORE: Final = rf"(?![{_LETTER}0-9._:/-])"  # a longer token would win
_ESCAPES: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def _build_grammar() -> pp.ParserElement:
    """A line: a statement, a comment, both or neither. White space is blank, tab and CR."""
    name = pp.Regex(rf"{_ID}(\.{_ID})?{_MORE}")
    quoted = pp.Regex(r"'(?:[^'\\\n]|\\[^\n]|'')*'").set_parse_action(
        lambda _text, _at, found: _unquote(found[0])  # all three: see parsers.log.message_catalogue
    )
    # An ID or an UNQUOTED_STRING; a QUALIFIED_ID is a token of its own, and no value.
    bare = pp.Regex(rf"(?!{_ID}\.{_ID}{_MORE})[{_LETTER}][{_LETTER}0-9._:/-]*")
    real = pp.Regex(r"[-+]?[0-9]*\.[0-9]*(?:[Ee][-+]?[0-9]+)?")
    integer = pp.Regex(r"[-+]?(?:0x[0-9A-Fa-f]+|[0-9]+)[A-Za-z]*")
    value = quoted | bare | (real ^ integer)
    statement = name("name") + pp.Suppress(pp.Opt("=")) + value("value")
    line = pp.Opt(statement) + pp.Suppress(pp.Opt(pp.Regex("#.*"))) + pp.StringEnd()
    for element in (name, quoted, bare, real, integer, value, statement, line):
        element.set_whitespace_chars(" \t\r")
    return line.parse_with_tabs().streamline()


def _unquote(token: str) -> str:
    """DeescapeQuotedString: backslash escapes, octal bytes, doubled quotes."""
    return re.sub(r"\\([0-7]{1,3})|\\(.)|''", _unescape, token[1:-1])


def _unescape(match: re.Match[str]) -> str:
    if match[1]:
        return bytes([int(match[1], 8) & 0xFF]).decode("utf-8", "surrogateescape")
    if match[2]:
        return _ESCAPES.get(match[2], match[2])
    return "'"


_GRAMMAR: Final = _build_grammar()


def parse_statement(line: str, number: int) -> tuple[str, str] | None:
    """Give (name, value) as they are written, None for a line without a statement.

    Raises ParseError, with the line's `number`.
    """
    try:
        parsed = _GRAMMAR.parse_string(line)
    except pp.ParseException as error:
        message = (
            tr("syntax error at column {column}", column=error.loc + 1)
            if line[error.loc :].strip()
            else tr("syntax error at the end of the line")
        )
        raise ParseError(message, line=number) from None
    return (str(parsed["name"]), str(parsed["value"])) if parsed else None
