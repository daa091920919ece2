"""The JSON API: what the agent knows, as values that OpenAPI describes (/openapi.json).

LSNs are text as PostgreSQL prints them, instants ISO 8601 with offset; null is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel

from agent.watched import WatchedCluster
from agent.web.drills import DrillsView, view_drills
from agent.web.estimate import EstimateView, view_estimate
from parsers.lsn import format_lsn
from rules.alert_state import alert_name
from rules.drills import DrillsFacts
from rules.evidence import SequenceFacts, WindowsFacts
from rules.exposure import ExposureFacts
from rules.facts import ArchiveFacts
from rules.findings import EvidenceValue, Finding, Verdict
from rules.forecast import RestoreEstimateFacts

_WORST_FIRST: Final = (Verdict.CRITICAL, Verdict.UNKNOWN, Verdict.WARNING, Verdict.OK)


class FindingView(BaseModel):
    """What a check found."""

    id: str
    severity: str
    summary: str
    remedy: str
    evidence: dict[str, EvidenceValue]


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


class WindowView(BaseModel):
    """One restorable interval, of one backup on one timeline."""

    backup: str
    timeline: int
    from_lsn: str
    from_time: datetime | None
    to_lsn: str
    to_time: datetime | None
    obstacle: str | None


class GapView(BaseModel):
    """A run of segments that the archive lacks."""

    timeline: int
    first: str
    last: str
    segments: int
    gap_class: str
    harmless: bool


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
    verdict: str
    findings: int
    judged_at: datetime | None
    latest_restorable_at: datetime | None
    earliest_restorable_at: datetime | None
    exposure_seconds: float | None
    exposure_bytes: int | None


class ClusterView(ClusterSummary):
    """One cluster, whole."""

    found: list[FindingView]
    blind: list[str]  # checks that lack their evidence
    alerts: list[AlertView]
    windows: list[WindowView] | None
    gaps: list[GapView] | None
    collectors: list[CollectorView]
    segments: int | None
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

    @router.get("/clusters/{name:path}")
    async def show_cluster(name: str) -> ClusterView:
        """One cluster with its findings, windows, gaps and sources."""
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
        "verdict": cluster.verdict.value,
        "findings": sum(map(len, cluster.findings.values())),
        "judged_at": cluster.judged_at,
        "latest_restorable_at": latest.to_time if latest else None,
        "earliest_restorable_at": latest.from_time if latest else None,
        "exposure_seconds": exposed.seconds if exposed else None,
        "exposure_bytes": exposed.bytes if exposed else None,
    }


def _view(cluster: WatchedCluster) -> ClusterView:
    archive = cluster.fact(ArchiveFacts)
    return ClusterView(
        **_summary(cluster),
        found=[_finding(f) for found in cluster.findings.values() for f in found],
        blind=[check for check, known in cluster.known.items() if not known],
        alerts=list(_alerts(cluster)),
        windows=_windows(cluster),
        gaps=_gaps(cluster),
        collectors=[
            CollectorView(
                name=name,
                succeeded=reading.succeeded,
                error=reading.error,
                at=reading.started_at,
                seconds=reading.duration_seconds,
            )
            for name, reading in sorted(cluster.readings.items())
        ],
        segments=len(archive.segments) if archive else None,
        drills=view_drills(cluster.fact(DrillsFacts)),
        restore_estimate=view_estimate(cluster.fact(RestoreEstimateFacts)),
    )


def _finding(finding: Finding) -> FindingView:
    return FindingView(
        id=finding.id,
        severity=finding.severity.value,
        summary=finding.summary,
        remedy=finding.remedy,
        evidence=dict(finding.evidence),
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


def _windows(cluster: WatchedCluster) -> list[WindowView] | None:
    facts = cluster.fact(WindowsFacts)
    if facts is None:
        return None
    return [
        WindowView(
            backup=url,
            timeline=window.timeline,
            from_lsn=format_lsn(window.from_lsn),
            from_time=window.from_time,
            to_lsn=format_lsn(window.to_lsn),
            to_time=window.to_time,
            obstacle=window.obstacle,
        )
        for url, windows in facts.by_backup.items()
        for window in windows or ()
    ]


def _gaps(cluster: WatchedCluster) -> list[GapView] | None:
    facts = cluster.fact(SequenceFacts)
    if facts is None:
        return None
    return [
        GapView(
            timeline=gap.timeline,
            first=gap.first_name,
            last=gap.last_name,
            segments=gap.segments_count,
            gap_class=gap.cause,
            harmless=gap.harmless,
        )
        for gap in facts.gaps
    ]
