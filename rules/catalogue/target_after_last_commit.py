"""The recovery target lies after the last transaction that the WAL holds.

Why it matters
    Recovery stops only at a commit or an abort behind the target's time, or at a record at its LSN.
    When there is none yet, PostgreSQL 13 and later ends with "recovery ended before configured
    recovery target was reached" and does not open.
What to do
    To get everything, leave the target out. Otherwise wait until a later transaction is archived
    (on the primary: SELECT pg_switch_wal()), or look for newer WAL in the primary's pg_wal and name
    it with --wal.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.findings import Severity
from rules.outcome import Cause
from rules.target import TargetFacts


@check(severity=Severity.CRITICAL)
def target_after_last_commit(target: TargetFacts) -> Iterator[Found]:
    if target.cause is Cause.AFTER_LAST_COMMIT:
        last = target.prediction.last_transaction if target.prediction else None
        at = last.time if last else None
        yield Found(
            target.reason,
            outcome=target.outcome,
            timeline=target.timeline,
            last_transaction_at=at.isoformat() if at else None,
            remedy=_remedy(at.isoformat(sep=" ")) if at else None,
        )


def _remedy(last: str) -> str:
    return (
        f"The last transaction is of {last}. To get everything up to it, leave the target out;"
        " otherwise wait until a later one is archived (on the primary: SELECT pg_switch_wal()),"
        " or name newer WAL with --wal."
    )
