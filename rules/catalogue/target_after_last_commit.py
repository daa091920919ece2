"""The recovery target lies after the last transaction that the WAL holds.

Why it matters
    Recovery stops only at a commit or an abort after the target's time, or at a record at its LSN.
    Without one, PostgreSQL 13 and later ends with "recovery ended before configured
    recovery target was reached" and does not open.
What to do
    To get everything, leave the target out. Otherwise wait until a later transaction is archived
    (on the primary: SELECT pg_switch_wal()), or look for newer WAL in the primary's pg_wal and name
    it with --wal.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.findings import Severity
from rules.model.outcome import Cause
from rules.model.target import TargetFacts
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL, asked=True)
def target_after_last_commit(target: TargetFacts) -> Iterator[Found]:
    if target.cause is Cause.AFTER_LAST_COMMIT:
        last = target.prediction.last_transaction if target.prediction else None
        at = last.time if last else None
        yield Found(
            target.reason,
            outcome=target.outcome,
            timeline=target.timeline,
            last_transaction_at=at.isoformat() if at else None,
            remedy=_remedy(target, at.isoformat(sep=" ") if at else None),
        )


def _remedy(target: TargetFacts, last: str | None) -> str | None:
    """In the words of the target's kind; None: the page's."""
    if target.target.type == "lsn":
        ends_at = target.end_of_wal["wal_ends_at"]
        ends = tr("The WAL ends at {lsn}. ", lsn=ends_at) if ends_at else ""
        return tr(
            "{ends}To get everything, leave the target out; otherwise wait until the WAL up to"
            " {lsn} is archived (on the primary: SELECT pg_switch_wal()), or name newer WAL with"
            " --wal.",
            ends=ends,
            lsn=target.target.value,
        )
    if last is None:
        return None
    return tr(
        "The last transaction is of {last}. To get everything, leave the target out; otherwise wait"
        " until a later one is archived (on the primary: SELECT pg_switch_wal()), or name newer WAL"
        " with --wal.",
        last=last,
    )
