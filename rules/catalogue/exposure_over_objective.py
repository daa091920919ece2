"""What a loss of the server's disk would cost now is more than the recovery point objective allows.

Why it matters
    Transactions that ended and are in no archive are gone with the disk. The objective says how
    many seconds of them the owner is ready to lose, and there are more.
How to look
    pitr_recovery_point_exposure_seconds and _bytes show since when. SELECT * FROM
    pg_stat_archiver and the .ready files show whether the archiver works; SHOW archive_timeout
    how long a segment may stay open.
What to do
    See why the archiver does not bring them (SELECT * FROM pg_stat_archiver). If it works and the
    server merely writes little, set archive_timeout below the objective, so that a segment that is
    not full is archived too, or stream the WAL with pg_receivewal.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.capacity.exposure import ExposureFacts
from rules.model.counted import sized, timed
from rules.model.facts import Objectives
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL, hold_seconds=60)
def exposure_over_objective(exposed: ExposureFacts, objectives: Objectives) -> Iterator[Found]:
    if exposed.seconds is not None and exposed.seconds > objectives.rpo_seconds:
        lost, beyond = timed(exposed.seconds), ""
        if exposed.at_least:
            lost = tr("at least {seconds}", seconds=lost)
        if exposed.beyond:
            beyond = tr(
                ": what is archived after {segment}, which is missing, is out of reach",
                segment=exposed.beyond,
            )
        yield Found(
            tr(
                "a disk loss now would cost {lost} of transactions ({size} of WAL); the objective"
                " is {objective}{beyond}",
                lost=lost,
                size=sized(exposed.bytes),
                objective=timed(objectives.rpo_seconds),
                beyond=beyond,
            ),
            exposure_seconds=round(exposed.seconds, 1),
            exposure_bytes=exposed.bytes,
            objective_seconds=objectives.rpo_seconds,
            **({"beyond": exposed.beyond} if exposed.beyond else {}),
        )
