"""Why a recovery target is not reached, as one word: each word is a finding in the catalogue.

The server's own words decide where it fails; where it opens with another state, the predictor says
in what way (`rules.recovery.reachable`).
"""

from __future__ import annotations

from typing import Final

from parsers.wal.damage import DamageKind
from rules.model.outcome import Cause, Outcome
from rules.recovery import server_messages as messages

# The beginning of a FATAL -> what it comes from. The first that fits counts.
_BY_FATAL: Final = (
    (messages.STOP_BEFORE_CONSISTENCY, Cause.BEFORE_BACKUP_END),
    (messages.BACKUP_END_MISSING, Cause.BACKUP_WAL),
    (messages.CONSISTENCY_MISSING, Cause.BACKUP_WAL),
    ("could not locate required checkpoint record", Cause.BACKUP_WAL),
    ("could not find redo location", Cause.BACKUP_WAL),
    (messages.INCREMENTAL, Cause.INCREMENTAL),
    ("recovery target timeline", Cause.TIMELINE_MISSING),
    ("requested timeline", Cause.FORK_BEFORE_BACKUP),
    ("WAL was generated with", Cause.WAL_MINIMAL),
    ("hot standby is not possible because wal_level", Cause.WAL_MINIMAL),
)


def cause_of(target_type: str, outcome: Outcome) -> Cause | None:
    """The cause of a target that is not reached; None for one that is, or may be."""
    if outcome.reachable is not False:
        return None
    if outcome.outcome == "opens":
        return outcome.misses or Cause.OTHER
    obstacle = outcome.obstacle
    if obstacle is not None and outcome.consistent_lsn is None:
        return Cause.BACKUP_WAL
    if outcome.fatal == messages.TARGET_NOT_REACHED or (obstacle and obstacle.kills):
        if obstacle and (obstacle.newer_wal or obstacle.kind in set(DamageKind)):
            return Cause.BEYOND_GAP
        return Cause.NOT_IN_WAL if target_type in ("xid", "name") else Cause.AFTER_LAST_COMMIT
    fatal = outcome.fatal or ""
    return next((cause for begin, cause in _BY_FATAL if fatal.startswith(begin)), Cause.OTHER)
