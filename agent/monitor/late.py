"""Whether what is shown of a cluster is old: the rounds of one of its jobs do not come."""

from __future__ import annotations

from agent.monitor.watched import WatchedCluster


def is_late(cluster: WatchedCluster) -> bool:
    """Some source was not read for several of its intervals: see agent.monitor.rounds."""
    return bool(cluster.jobs.rounds.overdue())
