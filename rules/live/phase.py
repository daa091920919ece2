"""Where a server's recovery stands."""

from __future__ import annotations

import enum
from typing import Final

from parsers.sentences import tr


class Phase(enum.Enum):
    """Where a server's recovery stands."""

    NONE = "no recovery"
    STARTING = "starting"
    FETCHING = "fetching"
    REPLAYING = "replaying"
    CONSISTENT = "consistent"
    READ_ONLY = "open read-only"
    WAITING = "waiting for WAL"
    STOPPING = "stopping at the target"
    PAUSED_AT_TARGET = "paused at the target"
    PAUSED = "paused"
    PROMOTING = "promoting"
    ENDED = "ended"
    SHUT_DOWN = "shut down"
    FAILED = "failed"

    @property
    def word(self) -> str:
        """For a person."""
        return _PHASES[self]


STANDS_STILL: Final = frozenset({Phase.PAUSED, Phase.PAUSED_AT_TARGET})
# STARTING is not told apart: a clean start looks the same until its next line.
RUNNING: Final = STANDS_STILL | {
    Phase.FETCHING, Phase.REPLAYING, Phase.CONSISTENT, Phase.READ_ONLY, Phase.WAITING,
    Phase.STOPPING, Phase.PROMOTING,
}  # fmt: skip
OVER: Final = frozenset({Phase.ENDED, Phase.FAILED, Phase.SHUT_DOWN})
_PHASES: Final = {
    Phase.NONE: tr("no recovery"),
    Phase.STARTING: tr("starting"),
    Phase.FETCHING: tr("fetching"),
    Phase.REPLAYING: tr("replaying"),
    Phase.CONSISTENT: tr("consistent"),
    Phase.READ_ONLY: tr("open read-only"),
    Phase.WAITING: tr("waiting for WAL"),
    Phase.STOPPING: tr("stopping at the target"),
    Phase.PAUSED_AT_TARGET: tr("paused at the target"),
    Phase.PAUSED: tr("paused"),
    Phase.PROMOTING: tr("promoting"),
    Phase.ENDED: tr("ended"),
    Phase.SHUT_DOWN: tr("shut down"),
    Phase.FAILED: tr("failed"),
}
