"""The catalogue as Prometheus alerting rules: one rule a check, and the few about the agent itself.

The agent and Prometheus judge the same number (`pitr_finding`) with the same patience, so they
raise the same alerts under the same labels, and an Alertmanager that hears both sees one.
Follows the manual's "Alerting rules".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from rules.alert_links import AlertLinks
from rules.alert_state import alert_name, can_alert
from rules.check import Check
from rules.panels import Panel, panel_of

# How old the last verdict may be. It is given every few seconds.
VERDICT_STALE_SECONDS: Final = 900
# The alert's cluster in a URL, filled in by Prometheus when the alert fires.
_CLUSTER: Final = "{{ $labels.cluster | urlquery }}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentAlert:
    """What only somebody else can notice of the agent itself."""

    name: str
    expression: str
    hold_seconds: float
    severity: str
    title: str
    why: str
    look: str
    remedy: str
    panel: Panel
    of_a_cluster: bool = True  # it has the label


AGENT_ALERTS: Final = (
    AgentAlert(
        name="PitrAgentAbsent",
        expression="absent(pitr_build_info)",
        hold_seconds=300,
        severity="critical",
        title="No PITR agent is scraped.",
        why="Nobody looks at the archives: what breaks now is found on the day of the restore.",
        look="Prometheus' page of targets shows the error of the scrape. On the agent's host: "
        "systemctl status pitr-agent, and curl its /healthz.",
        remedy="Start the agent, or mend the scrape configuration.",
        panel=Panel.FLEET_AGENTS,
        of_a_cluster=False,
    ),
    AgentAlert(
        name="PitrVerdictStale",
        expression=f"time() - pitr_verdict_timestamp_seconds > {VERDICT_STALE_SECONDS}",
        hold_seconds=300,
        severity="critical",
        title="The agent answers scrapes and has judged nothing for a quarter of an hour.",
        why="Its numbers are old: what broke since is not in them.",
        look="/healthz names the clusters that are late, the agent's log the reason "
        "(journalctl -u pitr-agent).",
        remedy="Restart the agent, and report what its log said.",
        panel=Panel.VERDICT_AGE,
    ),
    AgentAlert(
        name="PitrCheckBlind",
        expression="min by (cluster, id) (pitr_check_known) == 0",
        hold_seconds=900,
        severity="warning",
        title="A check lacks its evidence.",
        why="What it last said stands, and nothing new would be noticed.",
        look="pitr_collector_success tells which source cannot be read, the agent's log why.",
        remedy="Mend that source: a server that does not answer, a right that is missing, a "
        "directory that is not mounted.",
        panel=Panel.BLIND,
    ),
    AgentAlert(
        name="PitrNotificationsWaiting",
        expression="pitr_notifications_waiting > 0",
        hold_seconds=300,
        severity="warning",
        title="A receiver has not taken the agent's notifications for five minutes.",
        why="What fires is remembered and tried again, and the person behind that receiver does "
        "not know it.",
        look="The label receiver names it, pitr_notifications_failed_total counts the attempts, "
        "the agent's log has the answer (journalctl -u pitr-agent).",
        remedy="Mend the receiver, or its address under alerts.notify and reload. What waits is "
        "told as soon as it answers.",
        panel=Panel.FLEET_AGENTS,
        of_a_cluster=False,
    ),
    AgentAlert(
        name="PitrConfigNotReloaded",
        expression="pitr_config_last_reload_successful == 0",
        hold_seconds=300,
        severity="warning",
        title="The agent's configuration is wrong, and an older one runs.",
        why="What was meant to be watched from now on is not, and the next start of the agent "
        "fails.",
        look="pitr-agent check-config --config FILE names every mistake with its line.",
        remedy="Mend the file and reload (systemctl reload pitr-agent).",
        panel=Panel.FLEET_AGENTS,
        of_a_cluster=False,
    ),
)


def render_rules(
    checks: Iterable[Check], links: AlertLinks, *, hold_seconds: float | None = None
) -> dict[str, Any]:
    """A rule file's document. `hold_seconds` takes the place of each check's own patience."""

    def hold(own: float) -> str:
        return f"{own if hold_seconds is None else hold_seconds:g}s"

    return {
        "groups": [
            {"name": "pitr", "rules": list(_of_checks(checks, links, hold))},
            {"name": "pitr-agent", "rules": list(_of_the_agent(links, hold))},
        ]
    }


def _of_checks(
    checks: Iterable[Check], links: AlertLinks, hold: Callable[[float], str]
) -> Iterator[dict[str, Any]]:
    for check in checks:
        if can_alert(check):
            name = alert_name(check.id)
            yield {
                "alert": name,
                "expr": f'max by (cluster, id, severity) (pitr_finding{{id="{check.id}"}}) > 0',
                "for": hold(check.hold_seconds),
                "annotations": {
                    "summary": check.title,
                    "description": f"{check.why} {check.remedy}",
                    **links.annotations(name, panel_of(check.id), _CLUSTER),
                },
            }


def _of_the_agent(links: AlertLinks, hold: Callable[[float], str]) -> Iterator[dict[str, Any]]:
    for alert in AGENT_ALERTS:
        cluster = _CLUSTER if alert.of_a_cluster else None
        yield {
            "alert": alert.name,
            "expr": alert.expression,
            "for": hold(alert.hold_seconds),
            "labels": {"severity": alert.severity},
            "annotations": {
                "summary": alert.title,
                "description": f"{alert.why} {alert.remedy}",
                **links.annotations(alert.name, alert.panel, cluster),
            },
        }
