"""Archived segments could not be read to the requested depth.

Why it matters
    WAL that was not read is not known to be good: the verdict cannot be OK.
How to look
    The finding says why: permissions, a link out of the archive, an unsupported codec, an exhausted
    budget, a file that is still growing, an error in this program.
What to do
    The finding gives the reason. A file that is still being written is read by the next check; a
    file that cannot be opened needs read permission for this account. A link out of the archive is
    not followed: put the file itself in its place. Only an "unexpected" error is a fault of ours:
    report it with the traceback (`pitr-agent run --log.level debug`, PITR_DEBUG=1 pitr-check).
"""

from collections import Counter
from collections.abc import Iterator

from rules.model.counted import counted
from rules.model.facts import ScanFacts
from rules.model.findings import Severity
from rules.model.target import TargetFacts
from rules.verdict.check import Found, check


@check(severity=Severity.UNKNOWN, hold_seconds=300)
def wal_unread(scan: ScanFacts, target: TargetFacts | None) -> Iterator[Found]:
    arriving = scan.arriving if target is not None and target.is_proven else frozenset[str]()
    spared = arriving | scan.cold  # of these there is wal_in_cold_storage
    unread = {name: why for name, why in scan.unread.items() if name not in spared}
    for reason, count in sorted(Counter(unread.values()).items()):
        first = min(name for name, why in unread.items() if why == reason)
        yield Found(
            f"{counted(count, 'segment')} not read, the first {first}: {reason}",
            first=first,
            segments=count,
            reason=reason,
        )
