"""The catalogue as Prometheus alerting rules: one rule a check, and the few about the agent itself.

The agent and Prometheus judge the same number (`pitr_finding`) with the same patience, so they
raise the same alerts under the same labels, and an Alertmanager that hears both sees one.
Follows the manual's "Alerting rules".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from rules.alert_state import alert_name, can_alert
from rules.check import Check

# Name, expression, how long, severity, summary, description: what only somebody else can notice.
_ABOUT_THE_AGENT = (
    (
        "PitrAgentAbsent",
        "absent(pitr_build_info)",
        300,
        "critical",
        "No PITR agent is scraped.",
        "Nobody looks at the archives: what breaks now is found on the day of the restore. "
        "Start the agent (systemctl status pitr-agent) or mend the scrape configuration.",
    ),
    (
        "PitrVerdictStale",
        "time() - pitr_verdict_timestamp_seconds > 900",
        300,
        "critical",
        "The agent answers scrapes and has judged nothing for a quarter of an hour.",
        "Its numbers are old. Read the agent's log and restart it.",
    ),
    (
        "PitrCheckBlind",
        "min by (cluster, id) (pitr_check_known) == 0",
        900,
        "warning",
        "The check {{ $labels.id }} lacks its evidence.",
        "What it last said stands and nothing new would be noticed. pitr_collector_success tells "
        "which source cannot be read, the agent's log why.",
    ),
)


def render_rules(
    checks: Iterable[Check], *, runbooks_url: str, hold_seconds: float | None = None
) -> dict[str, Any]:
    """A rule file's document. `hold_seconds` takes the place of each check's own patience."""

    def hold(own: float) -> str:
        return f"{own if hold_seconds is None else hold_seconds:g}s"

    return {
        "groups": [
            {"name": "pitr", "rules": list(_of_checks(checks, runbooks_url, hold))},
            {"name": "pitr-agent", "rules": list(_of_the_agent(runbooks_url, hold))},
        ]
    }


def _of_checks(
    checks: Iterable[Check], runbooks_url: str, hold: Callable[[float], str]
) -> Iterator[dict[str, Any]]:
    for check in checks:
        if can_alert(check):
            yield {
                "alert": alert_name(check.id),
                "expr": f'max by (cluster, id, severity) (pitr_finding{{id="{check.id}"}}) > 0',
                "for": hold(check.hold_seconds),
                "annotations": {
                    "summary": check.title,
                    "description": f"{check.why} {check.remedy}",
                    "runbook_url": f"{runbooks_url}/{alert_name(check.id)}.md",
                },
            }


def _of_the_agent(runbooks_url: str, hold: Callable[[float], str]) -> Iterator[dict[str, Any]]:
    for name, expression, patience, severity, summary, description in _ABOUT_THE_AGENT:
        yield {
            "alert": name,
            "expr": expression,
            "for": hold(patience),
            "labels": {"severity": severity},
            "annotations": {
                "summary": summary,
                "description": description,
                "runbook_url": f"{runbooks_url}/{name}.md",
            },
        }
