"""`pitr-check explain FINDING`: the page of a finding or an alert, from the catalogue."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agent.cli import entry
from agent.errors import OK, UsageError
from agent.near import nearest

if TYPE_CHECKING:
    from rules.verdict.check import Check

_DESCRIPTION = "Says what a finding or an alert means and what to do. Without a name: lists them."
_EPILOG = """\
examples:
  pitr-check explain wal_gap
  pitr-check explain PitrWalGap
"""
_STATUSES = """\
exit status:
  0  explained
  64 there is no finding or alert of that name
"""
_WIDTH = 96
_ALERT: Final = "pitr"  # every alert's name begins so


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """What is said of one finding, or of one alert that no finding raises."""

    name: str
    severity: str
    title: str
    sections: tuple[tuple[str, str], ...]


def body(argv: Sequence[str]) -> int:
    """Print one page, or the list."""
    wanted = " ".join(_parser().parse_args(argv).finding)
    pages = _pages()
    if not wanted:
        print("\n".join(_list_lines(pages.values())))
        return OK
    named = {_key(name): page for name, page in pages.items()}
    page = named.get(_key(wanted)) or named.get(_key(wanted).removeprefix(_ALERT))
    if page is None:
        raise UsageError(_no_such(wanted, pages))
    print("\n".join(_page_lines(page)))
    return OK


def _parser() -> entry.Parser:
    parser = entry.Parser(
        prog="pitr-check explain", description=_DESCRIPTION, epilog=_EPILOG, statuses=_STATUSES
    )
    parser.add_argument(
        "finding", nargs="*", metavar="FINDING|ALERT", help="its name, as wal_gap or PitrWalGap"
    )
    return parser


def names() -> list[str]:
    """What can be explained: the findings, and the alerts about the agent itself."""
    return list(_pages())


def _key(name: str) -> str:
    """Upper case, `_`, `-` and blanks make no other name; an alert's is the finding's in a row."""
    return re.sub(r"[-_\s]", "", name).casefold()


def _pages() -> dict[str, _Page]:
    from rules.alerting.prometheus_rules import AGENT_ALERTS
    from rules.verdict.check import load_catalogue

    checks = {check.id: _page_of(check) for check in load_catalogue().values()}
    alerts = {
        alert.name: _Page(
            name=alert.name,
            severity=alert.severity,
            title=alert.title,
            sections=_sections(alert.why, alert.look, alert.remedy),
        )
        for alert in AGENT_ALERTS
    }
    return {**checks, **alerts}


def _page_of(check: Check) -> _Page:
    return _Page(
        name=check.id,
        severity=check.severity.value,
        title=check.title,
        sections=_sections(check.why, check.look, check.remedy),
    )


def _sections(why: str, look: str, remedy: str) -> tuple[tuple[str, str], ...]:
    texts = (("Why it matters", why), ("How to look", look), ("What to do", remedy))
    return tuple((heading, text) for heading, text in texts if text)


def _list_lines(pages: Iterable[_Page]) -> Iterator[str]:
    for page in pages:
        yield f"{page.name:28} {page.severity:9} {page.title}"


def _page_lines(page: _Page) -> Iterator[str]:
    yield f"{page.name} ({page.severity})"
    yield page.title
    for heading, text in page.sections:
        yield ""
        yield heading
        yield textwrap.fill(text, _WIDTH, initial_indent="    ", subsequent_indent="    ")


def _no_such(wanted: str, pages: Mapping[str, _Page]) -> str:
    near = nearest(wanted.strip(), pages)
    if near is None and _key(wanted).startswith(_ALERT):
        near = nearest(_key(wanted).removeprefix(_ALERT), pages)
    meant = f"did you mean {near}?" if near else "type  pitr-check explain  for the list"
    return f"there is no finding or alert {wanted!r}: {meant}"
