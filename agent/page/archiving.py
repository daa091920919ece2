"""How archiving goes: what waits, what was archived and failed last, what would be lost."""

from __future__ import annotations

from dataclasses import dataclass

from agent.page.look import Look
from agent.watched import WatchedCluster
from rules.exposure import ExposureFacts
from rules.facts import ArchiverFacts, ArchiveStatusFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Archiving:
    """What templates/archiving.html shows; None is what its source did not tell."""

    archiver: ArchiverFacts | None
    status: ArchiveStatusFacts | None
    exposed: ExposureFacts | None


def archiving_of(cluster: WatchedCluster, look: Look) -> Archiving | None:
    """None without a server to ask."""
    if cluster.config.dsn is None:
        return None
    return Archiving(
        archiver=cluster.fact(ArchiverFacts),
        status=cluster.fact(ArchiveStatusFacts),
        exposed=cluster.fact(ExposureFacts),
    )
