"""An archived segment is not what its name promises.

Why it matters
    Recovery ends at the damage as it would at a gap: silently without a target, with a FATAL when
    the target lies beyond it.
How to look
    The finding names segment, kind and LSN. pg_waldump FILE stops at the same place. Look for
    another copy: pg_wal of the primary or a standby, a second archive.
What to do
    Fetch the segment again from pg_wal of the primary, from a standby or from a copy of the
    archive. If no good copy exists, take a base backup now.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.facts import ScanFacts
from rules.findings import Severity

# Kinds that have a check of their own: foreign_system, wal_unread.
_SAID_ELSEWHERE = frozenset({"foreign_system", "unreadable", "encrypted"})


@check(severity=Severity.CRITICAL)
def wal_damaged(scan: ScanFacts) -> Iterator[Found]:
    for damage in scan.damaged:
        if damage.kind not in _SAID_ELSEWHERE:
            yield Found(
                f"{damage.segment} is damaged ({damage.kind}): {damage.detail}",
                segment=damage.segment,
                kind=damage.kind,
                detail=damage.detail,
            )
