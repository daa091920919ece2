"""`pitr-check explain FINDING`: the page of a finding or an alert, from the catalogue."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from agent.cli import entry
from agent.errors import OK, UsageError
from agent.language import say, say_constant
from agent.near import nearest
from parsers.sentences import tr
from parsers.values import dataclass
from rules.model.findings import Severity

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
    severity: Severity
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
            severity=Severity(alert.severity),
            title=alert.title,
            sections=_sections(alert.why, alert.look, alert.remedy),
        )
        for alert in AGENT_ALERTS
    }
    return {**checks, **alerts}


def _page_of(check: Check) -> _Page:
    return _Page(
        name=check.id,
        severity=check.severity,
        title=check.title,
        sections=_sections(check.why, check.look, check.remedy),
    )


def _sections(why: str, look: str, remedy: str) -> tuple[tuple[str, str], ...]:
    texts = ((tr("Why it matters"), why), (tr("How to look"), look), (tr("What to do"), remedy))
    return tuple((heading, text) for heading, text in texts if text)


def _list_lines(pages: Iterable[_Page]) -> Iterator[str]:
    width = 1 + max(len(_said(each)) for each in Severity)
    for page in pages:
        yield f"{page.name:28} {_said(page.severity):{width}} {say_constant(page.title)}"


def _said(severity: Severity) -> str:
    return say(severity.word).lower()


def _page_lines(page: _Page) -> Iterator[str]:
    yield f"{page.name} ({_said(page.severity)})"
    yield say_constant(page.title)
    for heading, text in page.sections:
        yield ""
        yield say(heading)
        yield textwrap.fill(
            say_constant(text), _WIDTH, initial_indent="    ", subsequent_indent="    "
        )


def _no_such(wanted: str, pages: Mapping[str, _Page]) -> str:
    near = nearest(wanted.strip(), pages)
    if near is None and _key(wanted).startswith(_ALERT):
        near = nearest(_key(wanted).removeprefix(_ALERT), pages)
    meant = (
        tr("did you mean {near}?", near=near)
        if near
        else tr("type  pitr-check explain  for the list")
    )
    return tr("there is no finding or alert {wanted!r}: {meant}", wanted=wanted, meant=meant)
