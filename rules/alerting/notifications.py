"""What is told of an alert, and when: once when it fires, once when it is over.

The labels are those that Prometheus gives to the same alert (`rules/alerting/prometheus_rules.py`),
so that an Alertmanager which hears both takes them for one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from parsers.sentences import joined
from parsers.values import dataclass
from rules.alerting.links import AlertLinks
from rules.alerting.panels import panel_of
from rules.alerting.state import Alert, Alerts, AlertState, alert_name
from rules.verdict.check import Check


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One alert as a receiver is told of it."""

    labels: Mapping[str, str]  # the alert's identity
    annotations: Mapping[str, str]  # for a person
    starts_at: datetime  # when it fired
    ends_at: datetime | None  # None while it fires

    @property
    def resolved(self) -> bool:
        return self.ends_at is not None


def notify_of(
    cluster: str, alert: Alert, check: Check, links: AlertLinks, *, quoted_cluster: str
) -> Notification:
    """Say what is told of an alert that fires or is over. `quoted_cluster`: as in a URL."""
    name = alert_name(alert.id)
    return Notification(
        labels={
            "alertname": name,
            "cluster": cluster,
            "id": alert.id,
            "severity": alert.severity.value,
        },
        annotations={
            "summary": alert.summaries[0] if alert.summaries else check.title,
            "description": joined(" ", (*alert.summaries[1:], check.why, alert.remedy)),
            **links.annotations(name, panel_of(alert.id), quoted_cluster),
        },
        starts_at=alert.fired_at or alert.since,
        ends_at=alert.resolved_at,
    )


def newly_told(before: Alerts, after: Alerts) -> Iterator[Alert]:
    """The alerts that fire and did not, and those that are over and fired."""
    for alert in after.values():
        earlier = before.get(alert.id)
        state = earlier.state if earlier is not None else None
        if alert.state is AlertState.FIRING and state is not AlertState.FIRING:
            yield alert
        if alert.state is AlertState.RESOLVED and state is AlertState.FIRING:
            yield alert


def firing(alerts: Alerts) -> list[Alert]:
    """Those that fire now."""
    return [alert for alert in alerts.values() if alert.state is AlertState.FIRING]
