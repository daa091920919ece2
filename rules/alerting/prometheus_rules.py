"""The catalogue as Prometheus alerting rules: one rule a check, and the few about the agent itself.

The agent and Prometheus judge the same number (`pitr_finding`) with the same patience, so they
raise the same alerts under the same labels, and an Alertmanager that hears both sees one.
Where there is no agent, and node_exporter hands on what `pitr-check` wrote into a textfile, the
rules about the agent fall away, and two are about the runs. Follows the manual's "Alerting rules".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from parsers.sentences import joined, tr
from parsers.values import dataclass
from rules.alerting.links import AlertLinks
from rules.alerting.panels import Panel, panel_of
from rules.alerting.state import alert_name, can_alert
from rules.model.findings import CANNOT_CHECK
from rules.verdict.check import Check

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
        title=tr("No PITR agent is scraped."),
        why=tr(
            "The archives are not being checked: a fault now is found on the day of the restore."
        ),
        look=tr(
            "Prometheus' page of targets shows the error of the scrape. On the agent's host: "
            "systemctl status pitr-agent, and curl its /healthz."
        ),
        remedy=tr("Start the agent, or fix the scrape configuration."),
        panel=Panel.FLEET_AGENTS,
        of_a_cluster=False,
    ),
    AgentAlert(
        name="PitrVerdictStale",
        expression="time() - pitr_verdict_deadline_timestamp_seconds > 0",
        hold_seconds=300,
        severity="critical",
        title=tr("The agent answers scrapes and a cluster's verdict is overdue."),
        why=tr(
            "A source was not read for three times its interval: what broke since is not in the "
            "agent's numbers."
        ),
        look=tr(
            "/healthz names the clusters that are late, the agent's log the reason "
            "(journalctl -u pitr-agent). With textfiles and no agent: what the timer or cron said "
            "of the last runs of pitr-check."
        ),
        remedy=tr("Restart the agent, and report what its log said."),
        panel=Panel.VERDICT_AGE,
    ),
    AgentAlert(
        name="PitrCheckBlind",
        expression="min by (cluster, id) (pitr_check_known) == 0",
        hold_seconds=900,
        severity="warning",
        title=tr("A check lacks its evidence."),
        why=tr("Its last result is kept, and new problems go unnoticed."),
        look=tr("pitr_collector_success tells which source cannot be read, the agent's log why."),
        remedy=tr(
            "Mend that source: a server that does not answer, a right that is missing, a "
            "directory that is not mounted."
        ),
        panel=Panel.BLIND,
    ),
    AgentAlert(
        name="PitrNotificationsWaiting",
        expression="pitr_notifications_waiting > 0",
        hold_seconds=300,
        severity="warning",
        title=tr("A receiver has not taken the agent's notifications for five minutes."),
        why=tr(
            "What fires is remembered and tried again, and the person at that receiver does "
            "not know it."
        ),
        look=tr(
            "The label receiver names it, pitr_notifications_failed_total counts the attempts, "
            "the agent's log has the answer (journalctl -u pitr-agent)."
        ),
        remedy=tr(
            "Mend the receiver, or its address under alerts.notify and reload. What waits is "
            "told as soon as it answers."
        ),
        panel=Panel.FLEET_AGENTS,
        of_a_cluster=False,
    ),
    AgentAlert(
        name="PitrConfigNotReloaded",
        expression="pitr_config_last_reload_successful == 0",
        hold_seconds=300,
        severity="warning",
        title=tr("The agent's configuration is wrong, and an older one runs."),
        why=tr(
            "What was meant to be watched from now on is not, and the next start of the agent "
            "fails."
        ),
        look=tr("pitr-agent check-config --config FILE names every mistake with its line."),
        remedy=tr("Mend the file and reload (systemctl reload pitr-agent)."),
        panel=Panel.FLEET_AGENTS,
        of_a_cluster=False,
    ),
)


STALE_SECONDS: Final = 26 * 3600.0  # a run a day, at random within an hour


def render_textfile_rules(
    checks: Iterable[Check],
    links: AlertLinks,
    *,
    hold_seconds: float | None = None,
    stale_seconds: float = STALE_SECONDS,
) -> dict[str, Any]:
    """The same for what runs of `pitr-check` wrote: a verdict older than `stale_seconds` alerts."""
    hold = _hold(hold_seconds)
    stale = AgentAlert(
        name="PitrVerdictStale",
        expression=f"time() - pitr_verdict_timestamp_seconds > {stale_seconds:g}",
        hold_seconds=0,
        severity="critical",
        title=tr("The last verdict on a cluster is old."),
        why=tr("No run of pitr-check has looked at it since: what broke is not in its numbers."),
        look=tr("What the timer or cron said of the last runs; node_textfile_mtime_seconds."),
        remedy=tr("Run pitr-check as the timer does, and mend what it names."),
        panel=Panel.VERDICT_AGE,
    )
    rules = [*_of_checks(checks, links, hold, also=CANNOT_CHECK), _of_alert(stale, links, hold)]
    return {"groups": [{"name": "pitr", "rules": rules}]}


def _hold(hold_seconds: float | None) -> Callable[[float], str]:
    return lambda own: f"{own if hold_seconds is None else hold_seconds:g}s"


def render_rules(
    checks: Iterable[Check], links: AlertLinks, *, hold_seconds: float | None = None
) -> dict[str, Any]:
    """A rule file's document. `hold_seconds` takes the place of each check's own patience."""
    hold = _hold(hold_seconds)
    of_the_agent = [_of_alert(alert, links, hold) for alert in AGENT_ALERTS]
    return {
        "groups": [
            {"name": "pitr", "rules": list(_of_checks(checks, links, hold))},
            {"name": "pitr-agent", "rules": of_the_agent},
        ]
    }


def _of_checks(
    checks: Iterable[Check],
    links: AlertLinks,
    hold: Callable[[float], str],
    also: str | None = None,
) -> Iterator[dict[str, Any]]:
    for check in checks:
        if can_alert(check) or check.id == also:
            name = alert_name(check.id)
            yield {
                "alert": name,
                "expr": f'max by (cluster, id, severity) (pitr_finding{{id="{check.id}"}}) > 0',
                "for": hold(check.hold_seconds),
                "annotations": {
                    "summary": check.title,
                    "description": joined(" ", (check.why, check.remedy)),
                    **links.annotations(name, panel_of(check.id), _CLUSTER),
                },
            }


def _of_alert(alert: AgentAlert, links: AlertLinks, hold: Callable[[float], str]) -> dict[str, Any]:
    cluster = _CLUSTER if alert.of_a_cluster else None
    return {
        "alert": alert.name,
        "expr": alert.expression,
        "for": hold(alert.hold_seconds),
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.title,
            "description": joined(" ", (alert.why, alert.remedy)),
            **links.annotations(alert.name, alert.panel, cluster),
        },
    }
