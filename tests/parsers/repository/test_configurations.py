"""Configurations of pgBackRest and Barman: whatever is in them, a value or a ParseError."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from parsers.errors import ParseError
from parsers.repository.barman_config import BarmanConfig, BarmanPlaces
from parsers.repository.pgbackrest_config import parse_config, repositories, stanzas

_LINES = st.lists(
    st.sampled_from(
        ["[global]", "[main]", "[main:restore]", "[barman]", "repo1-path=/a", "repo2-path = /b",
         "repo-path=/c", "wals_directory=%(x)s", "barman_home=%", "=", "x", " y", "# z", "[", "]"]
    ) | st.text(max_size=12)
).map("\n".join)  # fmt: skip


@given(_LINES, _LINES)
def test_whatever_is_in_them(first: str, second: str) -> None:
    with contextlib.suppress(ParseError):
        sections = parse_config(second, parse_config(first, {}))
        for stanza in (None, *stanzas(sections)):
            assert repositories(sections, {}, stanza)
    with contextlib.suppress(ParseError):
        config = BarmanConfig()
        config.read(first)
        config.read(second)
        assert config.further_files != ""
        for server in config.servers():
            assert config.places(server)


def test_places_by_default_are_those_of_an_empty_section() -> None:
    config = BarmanConfig()
    config.read("[barman]\nbarman_home=/home\n[main]\n")
    assert config.places("main") == BarmanPlaces.below("/home/main")
