"""One cluster: what its page shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agent.page.archiving import archiving_of
from agent.page.drawing import drawing_of
from agent.page.headline import SIGNS, blind_checks, headline, worst_first
from agent.page.look import Look
from agent.page.restore import restore_of
from agent.watched import WatchedCluster
from rules.alert_state import Alert
from rules.evidence import SequenceFacts
from rules.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFinding:
    """A finding, and how long it has stood."""

    finding: Finding
    sign: str
    alert: Alert | None  # None: of this one nobody is ever alerted
    stands: bool  # False: it is what was last known, the check lacks its evidence now


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindCheck:
    """A check that could not be asked."""

    id: str
    title: str
    missing: tuple[str, ...]  # the facts that it lacks, in words


def cluster_context(cluster: WatchedCluster, look: Look) -> dict[str, Any]:
    """What templates/cluster.html shows. A section that has nothing to say is None."""
    sequence = cluster.fact(SequenceFacts)
    return {
        "name": cluster.name,
        "headline": headline(cluster),
        "found": list(_found(cluster)),
        "blind": list(_blind(cluster)),
        "readings": sorted(cluster.readings.values(), key=lambda r: (r.succeeded, r.collector)),
        "gaps": sequence.gaps if sequence else None,
        "restore": restore_of(cluster, look),
        "drawing": drawing_of(cluster, look),
        "archiving": archiving_of(cluster, look),
    }


def _found(cluster: WatchedCluster) -> Iterator[ShownFinding]:
    for finding in worst_first(cluster):
        yield ShownFinding(
            finding=finding,
            sign=SIGNS[finding.severity.value],
            alert=cluster.alerts.get(finding.id),
            stands=cluster.known.get(finding.id, True),
        )


def _blind(cluster: WatchedCluster) -> Iterator[BlindCheck]:
    for check in blind_checks(cluster):
        absent = [need for need in check.needs.values() if cluster.fact(need) is None]
        yield BlindCheck(
            id=check.id,
            title=check.title,
            missing=tuple(need.__name__.removesuffix("Facts") for need in absent),
        )
