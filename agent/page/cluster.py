"""One cluster: what its page shows."""

from __future__ import annotations

from typing import Any

from agent.page.archiving import archiving_of
from agent.page.cards import make_cards
from agent.page.drawing import drawing_of
from agent.page.headline import headline
from agent.page.look import Look
from agent.page.missing import SOURCES, missing_evidence
from agent.page.restore import restore_of
from agent.watched import WatchedCluster
from rules.findings import Severity


def cluster_context(cluster: WatchedCluster, look: Look) -> dict[str, Any]:
    """What templates/cluster.html shows. A section that has nothing to say is None or empty."""
    return {
        "name": cluster.name,
        "headline": headline(cluster),
        "wrong": make_cards(cluster, Severity.CRITICAL, Severity.WARNING),
        "unsure": make_cards(cluster, Severity.UNKNOWN),
        "notes": make_cards(cluster, Severity.INFO),
        "missing": missing_evidence(cluster),
        "readings": sorted(cluster.readings.values(), key=lambda r: (r.succeeded, r.collector)),
        "sources": SOURCES,
        "restore": restore_of(cluster, look),
        "drawing": drawing_of(cluster, look),
        "archiving": archiving_of(cluster, look),
    }
