"""What was found, as cards: one a check, as one alert stands for all that a check finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from agent.monitor.watched import WatchedCluster
from agent.page.headline import worst_first
from parsers.values import dataclass
from rules.alerting.state import Alert, alert_name, can_alert
from rules.model.findings import Finding, Severity

_SHOWN_AT_ONCE: Final = 5  # further findings of the same check are folded


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One check and what it found."""

    id: str
    severity: str
    heading: str
    findings: tuple[Finding, ...]
    remedies: tuple[str, ...]  # without repetition
    alert: Alert | None  # None: it never raises an alert
    runbook: str | None  # the alert's name; None: it has none
    because: str | None  # what it follows from; None: it stands by itself
    stands: bool  # False: it is what was last known, the check lacks its evidence now

    @property
    def at_once(self) -> tuple[Finding, ...]:
        return self.findings[:_SHOWN_AT_ONCE]

    @property
    def folded(self) -> tuple[Finding, ...]:
        return self.findings[_SHOWN_AT_ONCE:]


def make_cards(cluster: WatchedCluster, *severities: Severity) -> list[Card]:
    """The cards of what has one of these severities, the worst first."""
    by_check: dict[str, list[Finding]] = {}
    for finding in worst_first(cluster):
        if finding.severity in severities:
            by_check.setdefault(finding.id, []).append(finding)
    return [_card(cluster, check, findings) for check, findings in by_check.items()]


def _card(cluster: WatchedCluster, check_id: str, findings: Sequence[Finding]) -> Card:
    check = cluster.checks.get(check_id)
    several = len(findings) > 1
    return Card(
        id=check_id,
        severity=findings[0].severity.value,
        heading=check.title if several and check is not None else findings[0].summary,
        findings=tuple(findings),
        remedies=tuple(dict.fromkeys(finding.remedy for finding in findings)),
        alert=_alert(cluster.alerts, check_id),
        runbook=alert_name(check_id) if check is not None and can_alert(check) else None,
        because=next((finding.because for finding in findings if finding.because), None),
        stands=cluster.known.get(check_id, True),
    )


def _alert(alerts: Mapping[str, Alert], check_id: str) -> Alert | None:
    alert = alerts.get(check_id)
    return alert if alert is not None and alert.resolved_at is None else None
