"""One runbook an alert, under the four headings that on-call people know.

Made from the catalogue, so that what is said of an alert is said once. Headings follow the runbooks
of prometheus-operator: Meaning, Impact, Diagnosis, Mitigation.
"""

from __future__ import annotations

from collections.abc import Iterable

from rules.alert_state import alert_name, can_alert
from rules.check import Check
from rules.prometheus_rules import AGENT_ALERTS


def render_runbooks(checks: Iterable[Check]) -> dict[str, str]:
    """Alert -> its runbook in Markdown; the file is named after the alert."""
    pages: dict[str, str] = {}
    for check in checks:
        if can_alert(check):
            name = alert_name(check.id)
            source = f"Severity {check.severity.value}, after {check.hold_seconds:g} s. "
            source += f"The check is `{check.id}`: `pitr-check explain {check.id}`."
            pages[name] = _page(name, check.title, source, check.why, check.look, check.remedy)
    for alert in AGENT_ALERTS:
        source = f"Severity {alert.severity}, after {alert.hold_seconds:g} s. Only Prometheus can "
        source += f"raise it: `{alert.expression}`."
        pages[alert.name] = _page(
            alert.name, alert.title, source, alert.why, alert.look, alert.remedy
        )
    return pages


def _page(name: str, title: str, source: str, why: str, look: str, remedy: str) -> str:
    return f"""\
# {name}

## Meaning

{title} {source}

## Impact

{why}

## Diagnosis

{look}

## Mitigation

{remedy}
"""
