"""Alerts: findings over time, as Prometheus does it with `for`.

A finding that is there is *pending*; when it has held for as long as its check wants it is
*firing*; when it is gone it is *resolved*, and is kept until everybody who heard of it has heard
that too. A check that was blind changes nothing: what is not known is neither new nor over.
A pure function of the state before, one judgement and `now`; the clock is an argument.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from parsers.values import dataclass
from rules.model.findings import Finding, Severity
from rules.verdict.check import Check, Judgement

# How long an alert that is over is still shown, and sent again to whoever did not take it.
KEEP_RESOLVED: Final = timedelta(minutes=15)


class AlertState(enum.Enum):
    """Where an alert stands."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One check that found something, over time. Its identity is the check's id."""

    id: str
    severity: Severity
    state: AlertState
    since: datetime  # first found, without a break
    fired_at: datetime | None  # None while pending
    resolved_at: datetime | None  # None until it is over
    summaries: tuple[str, ...]  # of the findings, as last seen
    remedy: str


Alerts = Mapping[str, Alert]


def alert_name(check_id: str) -> str:
    """The alert's name in Prometheus, and its runbook's.

    >>> alert_name("archiver_failing")
    'PitrArchiverFailing'
    """
    return "Pitr" + "".join(word.capitalize() for word in check_id.split("_"))


def can_alert(check: Check) -> bool:
    """Whether a watching agent ever raises it: not what answers a question that a person asked."""
    return check.severity is not Severity.INFO and not check.asked


def advance(
    alerts: Alerts, judgement: Judgement, checks: Mapping[str, Check], now: datetime
) -> dict[str, Alert]:
    """The alerts after one judgement."""
    after: dict[str, Alert] = {}
    for check in checks.values():
        if not can_alert(check):
            continue
        before = alerts.get(check.id)
        found = [each for each in judgement.findings if each.id == check.id and not each.note]
        if judgement.known.get(check.id) is False:
            alert = before
        elif found:
            alert = _held(before, found, check, now)
        else:
            alert = _over(before, now)
        if alert is not None:
            after[check.id] = alert
    return after


def shift(alerts: Alerts, by: timedelta) -> dict[str, Alert]:
    """The same alerts after the clock was set: what has held for a minute has held for a minute."""
    return {
        name: replace(
            alert,
            since=alert.since + by,
            fired_at=alert.fired_at and alert.fired_at + by,
            resolved_at=alert.resolved_at and alert.resolved_at + by,
        )
        for name, alert in alerts.items()
    }


def _held(before: Alert | None, found: Iterable[Finding], check: Check, now: datetime) -> Alert:
    findings = tuple(found)
    if before is None or before.state is AlertState.RESOLVED:
        before = Alert(
            id=check.id,
            severity=check.severity,
            state=AlertState.PENDING,
            since=now,
            fired_at=None,
            resolved_at=None,
            summaries=(),
            remedy="",
        )
    alert = replace(before, summaries=tuple(f.summary for f in findings), remedy=findings[0].remedy)
    if alert.since > now:  # from before a start with another clock
        alert = replace(alert, since=now)
    held_seconds = (now - alert.since).total_seconds()
    if alert.state is AlertState.PENDING and held_seconds >= check.hold_seconds:
        alert = replace(alert, state=AlertState.FIRING, fired_at=now)
    return alert


def _over(before: Alert | None, now: datetime) -> Alert | None:
    """A pending alert is just dropped; one that fired is resolved, and kept for a while."""
    if before is None or before.state is AlertState.PENDING:
        return None
    if before.state is AlertState.FIRING:
        return replace(before, state=AlertState.RESOLVED, resolved_at=now)
    assert before.resolved_at is not None
    return before if abs(now - before.resolved_at) < KEEP_RESOLVED else None
