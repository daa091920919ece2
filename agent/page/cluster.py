"""One cluster: what its page shows."""

from __future__ import annotations

from typing import Any

from agent.monitor.watched import WatchedCluster
from agent.page.archiving import archiving_of
from agent.page.cards import make_cards
from agent.page.drawing import drawing_of
from agent.page.headline import headline, tags_of
from agent.page.missing import SOURCES, missing_evidence
from agent.page.restore import restore_of
from agent.page.visit import Visit
from rules.model.evidence import AloneFacts
from rules.model.findings import Severity


def cluster_context(cluster: WatchedCluster, look: Visit) -> dict[str, Any]:
    """What templates/cluster.html shows. A section that has nothing to say is None or empty."""
    return {
        "name": cluster.name,
        "tags": tags_of(cluster.config),
        "headline": headline(cluster),
        "wrong": make_cards(cluster, Severity.CRITICAL, Severity.WARNING),
        "unsure": make_cards(cluster, Severity.UNKNOWN),
        "notes": make_cards(cluster, Severity.INFO),
        "missing": missing_evidence(cluster),
        "readings": sorted(cluster.readings.values(), key=lambda r: (r.succeeded, r.collector)),
        "sources": SOURCES,
        "restore": restore_of(cluster),
        "drawing": drawing_of(cluster, look),
        "archiving": archiving_of(cluster, look),
        "copies": alone.by_archive if (alone := cluster.fact(AloneFacts)) else (),
    }
