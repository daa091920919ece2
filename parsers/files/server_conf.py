"""`postgresql.conf` and `postgresql.auto.conf`: settings, their quoting, includes, last one wins.

Follows the scanner and ParseConfigFp in src/backend/utils/misc/guc-file.l. A statement never spans
lines there, so the grammar is of one line. Files are read by the caller: `resolve_includes` asks
for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from parsers.errors import ParseError
from parsers.sentences import tr
from parsers.values import dataclass

MAX_INCLUDE_DEPTH: Final = 10  # CONF_FILE_MAX_DEPTH


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSetting:
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


Statement = FileSetting | Include
# Gives the files of a directive in the server's order, as (name, text); raises ParseError for one
# that must exist and does not.
Load = Callable[[Include], Iterable[tuple[str, str]]]

_DIRECTIVES: Final = ("include", "include_if_exists", "include_dir")

# What almost every line is, for short: names and values without an escape, a doubled quote or a
# letter beyond ASCII, and nothing that touches its neighbour. The grammar reads all others.
_PLAIN: Final = re.compile(
    r"[ \t\r]*([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)?)(?:[ \t\r]*=[ \t\r]*|[ \t\r]+)"
    r"(?:'([^'\\\n]*)'|([A-Za-z_][A-Za-z0-9_]*|[-+]?[0-9]+(?:\.[0-9]+|[A-Za-z]*)))"
    r"(?:[ \t\r]+(?:#.*)?)?\Z"
)

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
    if plain := _PLAIN.match(line):
        name, value = plain[1], plain[3] if plain[2] is None else plain[2]
    else:
        from parsers.files.conf_grammar import parse_statement

        parsed = parse_statement(line, number)
        if parsed is None:
            return None
        name, value = parsed
    name = name.lower()
    if name in _DIRECTIVES:
        return Include(directive=name, path=value, line=number, file=file)
    return FileSetting(name=name, value=value, line=number, file=file)


def resolve_includes(
    statements: Iterable[Statement], load: Load, *, depth: int = 0
) -> Iterator[FileSetting]:
    """Give the settings in the order in which the server reads them, included files in place.

    Raises ParseError for files that include each other too deep, and lets `load`'s through.
    """
    for statement in statements:
        if isinstance(statement, FileSetting):
            yield statement
            continue
        if depth >= MAX_INCLUDE_DEPTH:
            raise ParseError(
                tr(
                    "could not include {path!r}: maximum nesting depth exceeded",
                    path=statement.path,
                ),
                line=statement.line,
            )
        for name, text in load(statement):
            inner = parse_server_conf(text, name)
            yield from resolve_includes(inner, load, depth=depth + 1)


def effective_settings(settings: Iterable[FileSetting]) -> dict[str, FileSetting]:
    """The setting that counts for each name, the last one; in the order of those that count.

    Give postgresql.conf's first and postgresql.auto.conf's after them, as the server does.
    """
    effective: dict[str, FileSetting] = {}
    for setting in settings:
        effective.pop(setting.name, None)
        effective[setting.name] = setting
    return effective
