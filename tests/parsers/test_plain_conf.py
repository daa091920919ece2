"""The short way through postgresql.conf says what the grammar says."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from parsers.errors import ParseError
from parsers.files.conf_grammar import parse_statement
from parsers.files.server_conf import FileSetting, Include, parse_server_conf

# What the two could read differently, each side by side with any other.
PIECES = (
    "a", "Z_9", "a.b", "include", "on", "1", "-2", "1.5", "1e3", "0x1F", "8kB", ".5", "5.", "=",
    " ", "  ", "\t", "\r", "'", "''", "\\", "\\'", "#", "# x", "'x y'", "'it''s'", "/p", ":", "é",
    "$",
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
@example("a=1")
@example("a'x'")
@example("a = 'x'#c")
@example("a 1.5.6")
@example("a.b.c 1")
def test_a_plain_line_is_what_the_grammar_says(line: str) -> None:
    expected: object
    if not line.strip(" \t\r#") or line.lstrip(" \t\r").startswith("#"):
        expected = None
    else:
        try:
            expected = parse_statement(line, 1)
        except ParseError as error:
            expected = str(error)
    found: object = None
    try:
        for each in parse_server_conf(line):
            found = (
                (each.name, each.value)
                if isinstance(each, FileSetting)
                else (each.directive, each.path)
            )
            assert isinstance(each, FileSetting | Include)
    except ParseError as error:
        found = str(error)
    if isinstance(expected, tuple):
        expected = (expected[0].lower(), expected[1])
    assert found == expected
