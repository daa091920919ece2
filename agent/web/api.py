"""The JSON API: what the agent knows, as values that OpenAPI describes (/openapi.json).

LSNs are text as PostgreSQL prints them, instants ISO 8601 with offset; null is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel

from agent.documents.fleet import fleet_document
from agent.documents.verdict import verdict_document
from agent.monitor.watched import WatchedCluster
from agent.web.drills import DrillsView, view_drills
from agent.web.estimate import EstimateView, view_estimate
from rules.alerting.state import alert_name
from rules.capacity.exposure import ExposureFacts
from rules.capacity.forecast import RestoreEstimateFacts
from rules.drill.records import DrillsFacts
from rules.model.evidence import WindowsFacts
from rules.model.findings import Verdict
from rules.verdict.report import report_of

_WORST_FIRST: Final = (Verdict.CRITICAL, Verdict.UNKNOWN, Verdict.WARNING, Verdict.OK)


class AlertView(BaseModel):
    """A finding over time. `name` is the alert's in Prometheus."""

    cluster: str
    name: str
    id: str
    severity: str
    state: str
    since: datetime
    fired_at: datetime | None
    resolved_at: datetime | None
    summaries: list[str]
    remedy: str


class CollectorView(BaseModel):
    """The last reading of one source."""

    name: str
    succeeded: bool
    error: str | None
    at: datetime
    seconds: float


class ClusterSummary(BaseModel):
    """One cluster in a line."""

    name: str
    protection_class: str | None
    labels: dict[str, str]
    verdict: str
    finding_count: int
    judged_at: datetime | None
    latest_restorable_at: datetime | None
    earliest_restorable_at: datetime | None
    exposure_seconds: float | None
    exposure_bytes: int | None


class ClusterView(BaseModel, extra="allow"):
    """The document of `pitr-check`, pitr-check/1, of one cluster, and what only an agent knows.

    docs/schemas/pitr-check.schema.json describes what is not named here.
    """

    name: str
    protection_class: str | None  # null: it is in none
    labels: dict[str, str]
    verdict: str
    judged_at: datetime | None
    blind: list[str]  # checks that lack their evidence
    alerts: list[AlertView]
    collectors: list[CollectorView]
    drills: DrillsView | None  # null: it is not drilled on a schedule
    restore_estimate: EstimateView | None  # null: no restore was measured


def make_api(clusters: Sequence[WatchedCluster]) -> APIRouter:
    """The routes under /api/v1."""
    router = APIRouter(prefix="/api/v1")

    @router.get("/clusters")
    async def list_clusters() -> list[ClusterSummary]:
        """All clusters, the worst first."""
        ranked = sorted(clusters, key=lambda c: (_WORST_FIRST.index(c.verdict), c.name))
        return [ClusterSummary(**_summary(cluster)) for cluster in ranked]

    @router.get("/fleet")
    async def show_fleet() -> dict[str, Any]:
        """All clusters against their goals, the worst first: pitr-fleet/1."""
        lines = (cluster.line for cluster in clusters)
        return fleet_document(sorted(lines, key=lambda line: line.rank))

    @router.get("/clusters/{name:path}")
    async def show_cluster(name: str) -> ClusterView:
        """One cluster: what pitr-check would say of it, its alerts and its sources."""
        for cluster in clusters:
            if cluster.name == name:
                return _view(cluster)
        raise HTTPException(404, f"no cluster {name!r} is watched")

    @router.get("/alerts")
    async def list_alerts() -> list[AlertView]:
        """Pending, firing and just resolved alerts of all clusters."""
        return [alert for cluster in clusters for alert in _alerts(cluster)]

    return router


def _summary(cluster: WatchedCluster) -> dict[str, Any]:
    windows, exposed = cluster.fact(WindowsFacts), cluster.fact(ExposureFacts)
    latest = windows.latest if windows and None not in windows.by_backup.values() else None
    return {
        "name": cluster.name,
        "protection_class": cluster.config.protection_class,
        "labels": dict(cluster.config.labels),
        "verdict": cluster.verdict.value,
        "finding_count": sum(map(len, cluster.findings.values())),
        "judged_at": cluster.judged_at,
        "latest_restorable_at": latest.to_time if latest else None,
        "earliest_restorable_at": latest.from_time if latest else None,
        "exposure_seconds": exposed.seconds if exposed else None,
        "exposure_bytes": exposed.bytes if exposed else None,
    }


def _view(cluster: WatchedCluster) -> ClusterView:
    found = (finding for findings in cluster.findings.values() for finding in findings)
    report = report_of(cluster.case, found, cluster.verdict, datetime.now(UTC))
    return ClusterView(
        **verdict_document(report)
        | {
            "name": cluster.name,
            "protection_class": cluster.config.protection_class,
            "labels": dict(cluster.config.labels),
            "judged_at": cluster.judged_at,
            "blind": [check for check, known in cluster.known.items() if not known],
            "alerts": list(_alerts(cluster)),
            "collectors": list(_collectors(cluster)),
            "drills": view_drills(cluster.fact(DrillsFacts)),
            "restore_estimate": view_estimate(cluster.fact(RestoreEstimateFacts)),
        }
    )


def _collectors(cluster: WatchedCluster) -> Iterator[CollectorView]:
    for name, reading in sorted(cluster.readings.items()):
        yield CollectorView(
            name=name,
            succeeded=reading.succeeded,
            error=reading.error,
            at=reading.started_at,
            seconds=reading.duration_seconds,
        )


def _alerts(cluster: WatchedCluster) -> Iterator[AlertView]:
    for alert in cluster.alerts.values():
        yield AlertView(
            cluster=cluster.name,
            name=alert_name(alert.id),
            id=alert.id,
            severity=alert.severity.value,
            state=alert.state.value,
            since=alert.since,
            fired_at=alert.fired_at,
            resolved_at=alert.resolved_at,
            summaries=list(alert.summaries),
            remedy=alert.remedy,
        )
