"""One runbook an alert, under the four headings that on-call people know.

Made from the catalogue, so that what is said of an alert is said once. Headings follow the runbooks
of prometheus-operator: Meaning, Impact, Diagnosis, Mitigation.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from parsers.sentences import tr
from parsers.values import dataclass
from rules.alerting.prometheus_rules import AGENT_ALERTS, AgentAlert
from rules.alerting.state import alert_name, can_alert
from rules.model.findings import CANNOT_CHECK
from rules.verdict.check import Check


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbook:
    """What to know of one alert. Texts are one paragraph each; `code` stands in backticks."""

    name: str  # the alert's
    check: str | None  # the id of its check; None: an alert about the agent itself
    severity: str
    meaning: str
    impact: str
    diagnosis: str
    mitigation: str


def make_runbooks(checks: Iterable[Check]) -> dict[str, Runbook]:
    """By the alert's name: of the checks, then of the agent itself."""
    alerting = (check for check in checks if can_alert(check) or check.id == CANNOT_CHECK)
    books = [_of_check(check) for check in alerting]
    books += [_of_agent(alert) for alert in AGENT_ALERTS]
    return {book.name: book for book in books}


def render_runbooks(checks: Iterable[Check]) -> dict[str, str]:
    """Alert -> its runbook in Markdown; the file is named after the alert."""
    return {name: _page(book) for name, book in make_runbooks(checks).items()}


def _of_check(check: Check) -> Runbook:
    meaning = tr(
        "{title} Severity {severity}, after {hold_seconds:g} s. The check is `{id}`: `pitr-check"
        " explain {id}`.",
        title=check.title,
        severity=check.severity.value,
        hold_seconds=check.hold_seconds,
        id=check.id,
    )
    return Runbook(
        name=alert_name(check.id),
        check=check.id,
        severity=check.severity.value,
        meaning=meaning,
        impact=check.why,
        diagnosis=check.look,
        mitigation=check.remedy,
    )


def _of_agent(alert: AgentAlert) -> Runbook:
    meaning = tr(
        "{title} Severity {severity}, after {hold_seconds:g} s. Only Prometheus can raise it:"
        " `{expression}`.",
        title=alert.title,
        severity=alert.severity,
        hold_seconds=alert.hold_seconds,
        expression=alert.expression,
    )
    return Runbook(
        name=alert.name,
        check=None,
        severity=alert.severity,
        meaning=meaning,
        impact=alert.why,
        diagnosis=alert.look,
        mitigation=alert.remedy,
    )


def _page(book: Runbook) -> str:
    return tr(
        _PAGE,
        name=book.name,
        meaning=book.meaning,
        impact=book.impact,
        diagnosis=book.diagnosis,
        mitigation=book.mitigation,
    )


_PAGE: Final = tr("""\
# {name}

## Meaning

{meaning}

## Impact

{impact}

## Diagnosis

{diagnosis}

## Mitigation

{mitigation}
""")
