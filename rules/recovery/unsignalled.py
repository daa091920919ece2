"""Recovery of a backup without a signal file: what its own pg_wal holds, and nothing else.

Follows InitWalRecovery and FinishWalRecovery in xlogrecovery.c (StartupXLOG in xlog.c to 14), where
ArchiveRecoveryRequested is false. The label begins an archive recovery that nobody asked for:
without a target, without the archive, without the history files that lie there. Settings are not
held against those of the backup, and a shutdown does not cancel it; it opens on the timeline it was
on. Only the label of an exclusive backup lets it open before the backup's end.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from parsers.sentences import tr
from rules.model.goal import Goal
from rules.model.restore_inputs import RestoreInputs
from rules.recovery.unlabelled import pg_wal_alone

GOAL: Final = Goal(timeline="current")  # whatever the settings say
OPENS_AS_IT_WAS: Final = tr(
    "there is no signal file: the server takes nothing from the archive, and opens on the timeline"
    " that it was on"
)


def without_signal(restore: RestoreInputs) -> RestoreInputs:
    """What the server has of a restore."""
    wal = replace(pg_wal_alone(restore.wal), names=(), newest=None, partials=())
    server = replace(restore.server, hot_standby=False)
    return replace(restore, server=server, histories={}, broken_histories={}, wal=wal)


def needs_consistency(restore: RestoreInputs) -> bool:
    """Tell whether the server refuses to open where the WAL ends before the backup does."""
    return restore.server.signalled or restore.backup.label.method == "streamed"
