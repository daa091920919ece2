"""Whether the schedule itself has stopped for a cluster: what is shown of it is then old."""

from __future__ import annotations

from time import monotonic
from typing import Final

from agent.watched import WatchedCluster

_ROUNDS: Final = 3  # that may fail to come before it is called late


def is_late(cluster: WatchedCluster) -> bool:
    """Nothing was judged for several of its intervals. One not judged yet is not late.

    By the monotonic clock: the wall's may be set, forth and back.
    """
    if cluster.judged_monotonic is None:
        return False
    interval = cluster.config.poll if cluster.config.dsn else cluster.config.scan
    patience = _ROUNDS * (interval or 300.0) + _ROUNDS * (cluster.config.timeout or 10.0)
    return monotonic() - cluster.judged_monotonic > patience
