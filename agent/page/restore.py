"""A restore that goes on."""

from __future__ import annotations

from dataclasses import dataclass

from agent.page.look import Look
from agent.watch.progress import Progress
from agent.watched import WatchedCluster
from rules.restore_facts import RestoreFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRestore:
    """What templates/restore.html shows."""

    facts: RestoreFacts
    progress: Progress


def restore_of(cluster: WatchedCluster, look: Look) -> LiveRestore | None:
    """None while the server is not in recovery, as far as is known."""
    facts = cluster.fact(RestoreFacts)
    if facts is None or not facts.in_progress:
        return None
    return LiveRestore(facts=facts, progress=cluster.restore_progress)
