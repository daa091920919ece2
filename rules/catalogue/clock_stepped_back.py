"""The clock was set back around the time asked for: commits with an earlier time are left out.

Why it matters
    Recovery to a time stops at the first transaction that is later, in the order of the WAL. What
    was committed behind it is not restored, though its own time lies before the target's.
What to do
    If those transactions are wanted, aim at one of them with --target-xid or --target-lsn instead
    of a time, and look at what else that brings with pitr-check find.
"""

from collections.abc import Iterator

from parsers.lsn import format_lsn
from parsers.wal_facts import instant
from rules.check import Found, check
from rules.findings import Severity
from rules.target import TargetFacts


@check(severity=Severity.WARNING)
def clock_stepped_back(target: TargetFacts) -> Iterator[Found]:
    left = target.left_out
    if left is None:
        return
    first, stop = left.first, instant(left.stop_time_us)
    yield Found(
        f"{left.count} transaction(s) behind the stop have an earlier time than the target: the"
        f" first, {first.xid} at {format_lsn(first.lsn)}, {first.time.isoformat(sep=' ')}, comes"
        f" after one of {stop.isoformat(sep=' ')}",
        transactions=left.count,
        first_xid=first.xid,
        first_lsn=format_lsn(first.lsn),
        first_time=first.time.isoformat(),
        stop_time=stop.isoformat(),
    )
