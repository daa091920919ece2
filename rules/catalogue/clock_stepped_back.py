"""The clock was set back around the time asked for: commits with an earlier time are left out.

Why it matters
    Recovery to a time stops at the first transaction that is later, in the order of the WAL. What
    was committed after it is not restored, though its own time lies before the target's.
What to do
    If those transactions are wanted, aim at one of them with --target-xid or --target-lsn instead
    of a time, and see with pitr-check find what else that restores.
"""

from collections.abc import Iterator

from parsers.lsn import format_lsn
from parsers.sentences import tr
from parsers.wal.facts import instant
from rules.model.counted import counted
from rules.model.findings import Severity
from rules.model.target import TargetFacts
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING, asked=True)
def clock_stepped_back(target: TargetFacts) -> Iterator[Found]:
    left = target.left_out
    if left is None:
        return
    first, stop = left.first, instant(left.stop_time_us)
    yield Found(
        tr(
            "recovery leaves out {transactions} after the stop with an earlier time than the"
            " target: the first, {xid} at {lsn}, {time}, comes after one of {stop}",
            transactions=counted(left.count, "transaction"),
            xid=first.xid,
            lsn=format_lsn(first.lsn),
            time=first.time.isoformat(sep=" "),
            stop=stop.isoformat(sep=" "),
        ),
        transactions=left.count,
        first_xid=first.xid,
        first_lsn=format_lsn(first.lsn),
        first_time=first.time.isoformat(),
        stop_time=stop.isoformat(),
    )
