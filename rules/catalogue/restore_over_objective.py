"""A restore would take longer than the recovery time objective allows.

Why it matters
    Copying the backup and replaying the WAL since it run at a speed that was measured, in restores
    and drills. On the day it is needed nothing makes them faster.
How to look
    pitr_restore_duration_estimate_seconds over time shows whether it grows between two base
    backups; pitr-check shows how much WAL follows the newest.
What to do
    Take base backups more often, so that less WAL lies between them; let fetch-wal or the backup
    tool fetch ahead; give the restoring server faster disks.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.capacity.forecast import RestoreEstimateFacts
from rules.model.counted import sized, timed
from rules.model.facts import Objectives
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING)
def restore_over_objective(
    estimate: RestoreEstimateFacts, objectives: Objectives
) -> Iterator[Found]:
    if objectives.rto_seconds is not None and estimate.seconds > objectives.rto_seconds:
        yield Found(
            tr(
                "a restore would take {time}, {replay_time} of it for replaying {size} of WAL"
                " at {rate}/s ({basis}); the objective is {objective}",
                time=timed(estimate.seconds),
                replay_time=timed(estimate.replay_seconds),
                size=sized(estimate.replay_bytes),
                rate=sized(estimate.bytes_per_second),
                basis=estimate.basis,
                objective=timed(objectives.rto_seconds),
            ),
            estimate_seconds=round(estimate.seconds, 1),
            objective_seconds=objectives.rto_seconds,
            replay_bytes=estimate.replay_bytes,
            restores=estimate.restores_count,
        )
