"""The newest base backup is older than the objective allows.

Why it matters
    Every restore replays all WAL since its backup: the older it is, the longer the restore takes,
    and the more segments must all be whole.
How to look
    Look into the scheduler's log (cron, systemd timer) and the backup script's own for the last
    run, and at SELECT * FROM pg_stat_progress_basebackup for one in progress.
What to do
    See why the scheduled backup did not run or did not finish, and take one now
    (pg_basebackup --pgdata DIR --checkpoint fast).
"""

from collections.abc import Iterator
from datetime import datetime

from parsers.sentences import tr
from rules.model.facts import BackupsFacts, Objectives
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING)
def backup_stale(backups: BackupsFacts, objectives: Objectives, now: datetime) -> Iterator[Found]:
    finished = [b.finished_at for b in backups.backups if b.finished_at is not None]
    wanted = objectives.backup_age_seconds
    if wanted is None or not finished:
        return
    age = (now - max(finished)).total_seconds()
    if age > wanted:
        yield Found(
            tr(
                "the newest base backup ended at {finished:%Y-%m-%d %H:%M:%S %Z}, {age:.1f} hours"
                " ago; the objective is {objective:.1f} hours",
                finished=max(finished),
                age=age / 3600,
                objective=wanted / 3600,
            ),
            finished_at=max(finished).isoformat(),
            age_seconds=round(age),
            objective_seconds=wanted,
        )
