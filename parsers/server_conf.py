"""`postgresql.conf` and `postgresql.auto.conf`: settings, their quoting, includes, last one wins.

Follows the scanner and ParseConfigFp in src/backend/utils/misc/guc-file.l. A statement never spans
lines there, so the grammar is of one line. Files are read by the caller: `resolve_includes` asks
for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import pyparsing as pp

from parsers.errors import ParseError

MAX_INCLUDE_DEPTH: Final = 10  # CONF_FILE_MAX_DEPTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One `name = value`."""

    name: str  # lower case: names do not depend on case
    value: str  # without its quotes
    line: int
    file: str  # where it stands; empty for a text without a name


@dataclass(frozen=True, slots=True, kw_only=True)
class Include:
    """A directive that stands for other files."""

    directive: str  # include, include_if_exists or include_dir
    path: str  # as written: relative to the file it stands in
    line: int
    file: str


Statement = Setting | Include
# Gives the files of a directive in the server's order, as (name, text); raises ParseError for one
# that must exist and does not.
Load = Callable[[Include], Iterable[tuple[str, str]]]

_DIRECTIVES: Final = ("include", "include_if_exists", "include_dir")

# -- the scanner's tokens ------------------------------------------------------------------------

_LETTER: Final = r"A-Za-z_\u0080-\U0010ffff"
_ID: Final = rf"[{_LETTER}][{_LETTER}0-9]*"
_MORE: Final = rf"(?![{_LETTER}0-9._:/-])"  # a longer token would win
_ESCAPES: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def _build_grammar() -> pp.ParserElement:
    """A line: a statement, a comment, both or neither. White space is blank, tab and CR."""
    name = pp.Regex(rf"{_ID}(\.{_ID})?{_MORE}")
    quoted = pp.Regex(r"'(?:[^'\\\n]|\\[^\n]|'')*'").set_parse_action(
        lambda _text, _at, found: _unquote(found[0])  # all three: see parsers.message_catalogue
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

# -- files ---------------------------------------------------------------------------------------


def parse_server_conf(text: str, file: str = "") -> tuple[Statement, ...]:
    """Read the statements of one file, in order; directives are not followed.

    Raises ParseError, with the line, where the server reports a syntax error.
    """
    found = (
        _parse_line(line, number, file)
        for number, line in enumerate(text.split("\n"), start=1)
        if line.strip(" \t\r#")  # most of a real file are comments, and those are slow to parse
        and not line.lstrip(" \t\r").startswith("#")
    )
    return tuple(statement for statement in found if statement)


def _parse_line(line: str, number: int, file: str) -> Statement | None:
    try:
        parsed = _GRAMMAR.parse_string(line)
    except pp.ParseException as error:
        near = line[error.loc :].strip() or "the end of the line"
        raise ParseError(f"syntax error near {near!r}", line=number) from None
    if not parsed:
        return None
    name, value = str(parsed["name"]).lower(), str(parsed["value"])
    if name in _DIRECTIVES:
        return Include(directive=name, path=value, line=number, file=file)
    return Setting(name=name, value=value, line=number, file=file)


def resolve_includes(
    statements: Iterable[Statement], load: Load, *, depth: int = 0
) -> Iterator[Setting]:
    """Give the settings in the order in which the server reads them, included files in place.

    Raises ParseError for files that include each other too deep, and lets `load`'s through.
    """
    for statement in statements:
        if isinstance(statement, Setting):
            yield statement
            continue
        if depth >= MAX_INCLUDE_DEPTH:
            raise ParseError(
                f"could not include {statement.path!r}: maximum nesting depth exceeded",
                line=statement.line,
            )
        for name, text in load(statement):
            inner = parse_server_conf(text, name)
            yield from resolve_includes(inner, load, depth=depth + 1)


def effective_settings(settings: Iterable[Setting]) -> dict[str, Setting]:
    """The setting that counts for each name: the last one.

    Give postgresql.conf's first and postgresql.auto.conf's behind them, as the server does.
    """
    return {setting.name: setting for setting in settings}
