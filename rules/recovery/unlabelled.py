"""Recovery without a backup_label: the server takes the copy for itself after a crash, or a stop.

Follows InitWalRecovery and ReadRecord in xlogrecovery.c (StartupXLOG in xlog.c to 14). It begins at
the checkpoint that pg_control names. Where pg_control tells how far to go until all is consistent
(a cold copy, or a standby's), it looks into the archive at once. Otherwise it replays what its own
pg_wal has, calls that consistent, and only then looks into the archive: whether the files were
copied at one moment nobody asks.
"""

from __future__ import annotations

from dataclasses import replace

from parsers.files.pg_control import ClusterState, ControlFile
from parsers.sentences import tr
from rules.model.facts import Unlabelled
from rules.model.outcome import Obstacle
from rules.model.restore_inputs import RestoreInputs, Wal
from rules.model.timelines import Stretch
from rules.recovery.replay import replay


def enters_archive_at_once(control: ControlFile) -> bool:
    """Tell whether pg_control says how far recovery must go at least."""
    return bool(
        control.min_recovery_lsn
        or control.backup_end_required
        or control.backup_end_lsn
        or control.state is ClusterState.SHUT_DOWN
    )


def before_the_archive(restore: RestoreInputs) -> RestoreInputs:
    """The restore with the WAL that it has to begin with."""
    control = restore.control
    if restore.backup.unlabelled is None or control is None or enters_archive_at_once(control):
        return restore
    return replace(restore, wal=pg_wal_alone(restore.wal))


def pg_wal_end(restore: RestoreInputs, path: tuple[Stretch, ...], begin_lsn: int) -> int:
    """Where the WAL of the copy's own pg_wal ends, the record at `begin_lsn` being the first."""
    wal = pg_wal_alone(restore.wal)
    for step in replay(wal, path, begin_lsn, restore.server.major):
        if isinstance(step, Obstacle):
            return step.lsn
    raise AssertionError("replay ends with an obstacle")


def pg_wal_alone(wal: Wal) -> Wal:
    """The WAL where there is no archive."""
    return replace(wal, archived=lambda _: None)


def doubt(unlabelled: Unlabelled) -> str | None:
    """Why an opened copy without a label is not known to be right; None for a cold one."""
    if unlabelled.cold:
        return None
    if unlabelled.started:
        return tr("a server was started from this copy before: its files are newer than the backup")
    return tr(
        "without backup_label the server takes the copy for a crashed server and opens it without"
        " a word: it is corrupt, unless all its files were copied at one moment (a snapshot)"
    )
