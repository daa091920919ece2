"""The transaction or restore point asked for is not in the WAL that recovery would replay.

Why it matters
    PostgreSQL looks for it on one timeline, from the backup's start on, and gives up at the end of
    the WAL ("recovery ended before configured recovery target was reached").
What to do
    Compare the name, letter by letter, with the restore points that the verdict lists. What lies
    before the backup needs an older one; what lies on another timeline needs --timeline.
"""

from collections.abc import Iterator

from parsers.lsn import format_lsn
from rules.check import Found, check
from rules.evidence import PlacesFacts
from rules.findings import Severity
from rules.outcome import Cause
from rules.target import TargetFacts


@check(severity=Severity.CRITICAL)
def target_not_in_wal(target: TargetFacts, places: PlacesFacts | None) -> Iterator[Found]:
    if target.cause is not Cause.NOT_IN_WAL:
        return
    found = places.places if places else ()
    where = "; ".join(f"timeline {p.timeline} at {format_lsn(p.lsn)}" for p in found)
    yield Found(
        f"{target.reason}; it is on {where}" if where else target.reason,
        outcome=target.outcome,
        timeline=target.timeline,
        found_on=found[0].timeline if found else None,
        remedy=_remedy(found[0].timeline) if _is_elsewhere(target, places) else None,
    )


def _is_elsewhere(target: TargetFacts, places: PlacesFacts | None) -> bool:
    """Whether only another timeline has it; on the same one it lies before the backup."""
    found = {place.timeline for place in places.places} if places else set()
    return bool(found) and target.timeline not in found


def _remedy(timeline: int) -> str:
    return f"Ask again with --timeline {timeline}, and a backup whose history that timeline has."
