"""The restorable windows of a cluster."""

from __future__ import annotations

from dataclasses import dataclass

from agent.page.look import Look
from agent.watched import WatchedCluster
from rules.evidence import WindowsFacts
from rules.windows import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What templates/drawing.html shows."""

    windows: tuple[tuple[str, Window], ...]  # url of the backup, what it reaches


def drawing_of(cluster: WatchedCluster, look: Look) -> Drawing | None:
    """None while it is not known what the backups reach."""
    facts = cluster.fact(WindowsFacts)
    if facts is None:
        return None
    return Drawing(
        windows=tuple((url, w) for url, windows in facts.by_backup.items() for w in windows or ())
    )
