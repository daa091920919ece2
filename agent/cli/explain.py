"""`pitr-check explain FINDING`: the page of a finding, from the catalogue."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from agent.cli import entry

if TYPE_CHECKING:
    from rules.check import Check

_DESCRIPTION = "Says what a finding means and what to do. Without a name: lists them all."
_WIDTH = 96


def body(argv: Sequence[str]) -> int:
    """Print one page, or the list."""
    from rules.check import load_catalogue

    parser = entry.Parser(prog="pitr-check explain", description=_DESCRIPTION)
    parser.add_argument("finding", nargs="?", metavar="FINDING", help="an id, as wal_gap")
    wanted = parser.parse_args(argv).finding
    checks = load_catalogue()
    if wanted is None:
        print("\n".join(_list_lines(checks.values())))
    elif wanted in checks:
        print("\n".join(_page_lines(checks[wanted])))
    else:
        raise entry.UsageError(_no_such(wanted, checks))
    return entry.OK


def _list_lines(checks: Iterable[Check]) -> Iterator[str]:
    for check in checks:
        yield f"{check.id:28} {check.severity.value:9} {check.title}"


def _page_lines(check: Check) -> Iterator[str]:
    yield f"{check.id} ({check.severity.value})"
    yield check.title
    sections = (
        ("Why it matters", check.why),
        ("How to look", check.look),
        ("What to do", check.remedy),
    )
    for heading, text in sections:
        if not text:
            continue
        yield ""
        yield heading
        yield textwrap.fill(text, _WIDTH, initial_indent="    ", subsequent_indent="    ")


def _no_such(wanted: str, checks: dict[str, Check]) -> str:
    near = difflib.get_close_matches(wanted, checks, n=1)
    meant = f"did you mean {near[0]}?" if near else "type  pitr-check explain  for the list"
    return f"there is no finding {wanted!r}: {meant}"
