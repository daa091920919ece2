"""Which panel of which Grafana dashboard shows what an alert is about.

Uids and numbers stand in links that were sent long ago: a number is never given to another panel,
and a new panel takes the next free one. What the panels show is in dashboards/builder/.
"""

from __future__ import annotations

import enum
from typing import Final

FLEET: Final = "pitr-fleet"
CLUSTER: Final = "pitr-cluster"
RESTORE: Final = "pitr-restore"


class Panel(enum.Enum):
    """Every panel: the uid of its dashboard, its number there."""

    FLEET_VERDICTS = (FLEET, 1)
    FLEET_CLUSTERS = (FLEET, 2)
    FLEET_EXPOSURE = (FLEET, 3)
    FLEET_RESTORE_ESTIMATE = (FLEET, 4)
    FLEET_ALERTS = (FLEET, 5)
    FLEET_BLIND = (FLEET, 6)
    FLEET_AGENTS = (FLEET, 7)
    FLEET_GOALS = (FLEET, 8)
    FLEET_WINDOW = (FLEET, 9)

    VERDICT = (CLUSTER, 1)
    LATEST = (CLUSTER, 2)
    EARLIEST = (CLUSTER, 3)
    EXPOSURE_OF_OBJECTIVE = (CLUSTER, 4)
    RESTORE_OF_OBJECTIVE = (CLUSTER, 5)
    BLIND_COUNT = (CLUSTER, 6)
    FINDINGS = (CLUSTER, 7)
    BLIND = (CLUSTER, 8)
    EXPOSURE_SECONDS = (CLUSTER, 9)
    EXPOSURE_BYTES = (CLUSTER, 10)
    RESTORABLE_AGE = (CLUSTER, 11)
    WINDOW = (CLUSTER, 12)
    READY = (CLUSTER, 13)
    READY_AGE = (CLUSTER, 14)
    ARCHIVER_RATES = (CLUSTER, 15)
    ARCHIVER_LAST = (CLUSTER, 16)
    WAL_DIRECTORY = (CLUSTER, 17)
    WAL_DIRECTORY_FULL = (CLUSTER, 18)
    MISSING = (CLUSTER, 19)
    DAMAGED = (CLUSTER, 20)
    BACKUPS = (CLUSTER, 21)
    BACKUP_AGE = (CLUSTER, 22)
    RESTORE_ESTIMATE = (CLUSTER, 23)
    COLLECTORS = (CLUSTER, 24)
    COLLECTOR_DURATIONS = (CLUSTER, 25)
    VERDICT_AGE = (CLUSTER, 26)
    SERVER = (CLUSTER, 27)
    DRILL_AGE = (CLUSTER, 28)
    DRILL_OUTCOME = (CLUSTER, 29)
    DRILL_AGREES = (CLUSTER, 30)
    DRILL_DURATIONS = (CLUSTER, 31)

    RESTORE_STATE = (RESTORE, 1)
    RESTORE_PROGRESS = (RESTORE, 2)
    RESTORE_REMAINING = (RESTORE, 3)
    RESTORE_ETA = (RESTORE, 4)
    RESTORE_OUTCOME = (RESTORE, 5)
    RESTORE_REACHED = (RESTORE, 6)
    RESTORE_POSITIONS = (RESTORE, 7)
    RESTORE_RATE = (RESTORE, 8)
    RESTORE_HISTORY = (RESTORE, 9)
    RESTORE_EVENTS = (RESTORE, 10)
    RESTORE_FINDINGS = (RESTORE, 11)

    @property
    def dashboard(self) -> str:
        """The uid of its dashboard."""
        return self.value[0]

    @property
    def number(self) -> int:
        return self.value[1]


# What a check's number is drawn in; all others are read in the table of findings.
_BY_CHECK: Final = {
    "archived_but_absent": Panel.MISSING,
    "archiver_failing": Panel.ARCHIVER_RATES,
    "archiver_falling_behind": Panel.READY,
    "archiver_hung": Panel.READY_AGE,
    "archiver_never_succeeded": Panel.ARCHIVER_RATES,
    "backup_stale": Panel.BACKUP_AGE,
    "backup_wal_missing": Panel.BACKUPS,
    "collector_failing": Panel.COLLECTORS,
    "drill_disagreed": Panel.DRILL_AGREES,
    "drill_failed": Panel.DRILL_OUTCOME,
    "drill_incomplete": Panel.DRILL_OUTCOME,
    "drill_not_run": Panel.DRILL_OUTCOME,
    "drill_overdue": Panel.DRILL_AGE,
    "exposure_over_objective": Panel.EXPOSURE_SECONDS,
    "foreign_system": Panel.DAMAGED,
    "fork_segment_missing": Panel.MISSING,
    "no_restorable_backup": Panel.BACKUPS,
    "restore_ended_short": Panel.RESTORE_FINDINGS,
    "restore_failed": Panel.RESTORE_FINDINGS,
    "restore_foreseen": Panel.RESTORE_FINDINGS,
    "restore_over_objective": Panel.RESTORE_ESTIMATE,
    "restore_paused": Panel.RESTORE_STATE,
    "restore_sources_disagree": Panel.RESTORE_FINDINGS,
    "restore_stalled": Panel.RESTORE_POSITIONS,
    "restore_unproven": Panel.RESTORE_FINDINGS,
    "restore_without_signal": Panel.RESTORE_FINDINGS,
    "wal_damaged": Panel.DAMAGED,
    "wal_directory_filling": Panel.WAL_DIRECTORY_FULL,
    "wal_gap": Panel.MISSING,
    "window_too_short": Panel.WINDOW,
}


def panel_of(check_id: str) -> Panel:
    """Where somebody who was told of this check's alert looks first."""
    return _BY_CHECK.get(check_id, Panel.FINDINGS)
