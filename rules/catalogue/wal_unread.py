"""Archived segments could not be read to the depth that was asked for.

Why it matters
    What was not looked at is not known to be good: the verdict cannot be OK.
How to look
    The finding says why: rights, a codec that nothing here reads, a budget that was used up, a
    file that still grows.
What to do
    The finding gives the reason. A file that is still being written is read at the next look; a
    file that cannot be opened needs read permission for this account.
"""

from collections import Counter
from collections.abc import Iterator

from rules.check import Found, check
from rules.facts import ScanFacts
from rules.findings import Severity
from rules.target import TargetFacts


@check(severity=Severity.UNKNOWN, hold_seconds=300)
def wal_unread(scan: ScanFacts, target: TargetFacts | None) -> Iterator[Found]:
    spared = scan.arriving if target is not None and target.is_proven else frozenset[str]()
    unread = {name: why for name, why in scan.unread.items() if name not in spared}
    for reason, count in sorted(Counter(unread.values()).items()):
        first = min(name for name, why in unread.items() if why == reason)
        yield Found(
            f"{count} segment(s) not read, the first {first}: {reason}",
            first=first,
            segments=count,
            reason=reason,
        )
