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

from parsers.lsn import format_lsn
from parsers.sentences import tr, trn
from rules.model.counted import among
from rules.model.facts import ScanFacts
from rules.model.findings import Severity
from rules.model.gathered import gathered, span_of
from rules.verdict.check import Found, check

# Kinds that have a check of their own: foreign_system, wal_unread.
_SAID_ELSEWHERE = frozenset({"foreign_system", "unreadable", "encrypted"})


@check(severity=Severity.CRITICAL)
def wal_damaged(scan: ScanFacts) -> Iterator[Found]:
    told_here = (damage for damage in scan.damaged if damage.kind not in _SAID_ELSEWHERE)
    for found in gathered(told_here, lambda damage: damage.kind):
        first = min(found, key=lambda damage: damage.segment)
        at = tr(" at {lsn}", lsn=format_lsn(first.lsn)) if first.lsn is not None else ""
        names = [damage.segment for damage in found]
        yield Found(
            trn(
                "{segments} is damaged{at} ({kind}): {detail}",
                "{segments} are damaged ({kind}), the first{at}: {detail}",
                len(found),
                segments=among(names),
                at=at,
                kind=first.kind,
                detail=first.detail,
            ),
            segment=first.segment,
            lsn=format_lsn(first.lsn) if first.lsn is not None else None,
            kind=first.kind,
            detail=first.detail,
            **span_of(names),
        )
