"""The transaction or restore point asked for is not in the WAL that recovery would replay.

Why it matters
    PostgreSQL looks for it on one timeline, from the backup's start on, and gives up at the end of
    the WAL ("recovery ended before configured recovery target was reached").
What to do
    Compare the name, letter by letter, with the restore points that the verdict lists. What lies
    before the backup needs an older one; what lies on another timeline needs --timeline.
"""

import shlex
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
    near = places.near if places else ()
    where = "; ".join(f"timeline {p.timeline} at {format_lsn(p.lsn)}" for p in found)
    like = ", ".join(map(repr, near))
    also = f"; it is on {where}" if where else f"; there is {like}" if like else ""
    yield Found(
        f"{target.reason}{also}",
        outcome=target.outcome,
        timeline=target.timeline,
        found_on=found[0].timeline if found else None,
        nearest=near[0] if near else None,
        remedy=_remedy(target, places),
    )


def _remedy(target: TargetFacts, places: PlacesFacts | None) -> str | None:
    """Where only another timeline has it, or a name is much like it; None: see the page."""
    found = {place.timeline for place in places.places} if places else set()
    if found and target.timeline not in found:
        timeline = min(found)
        return (
            f"Ask again with --timeline {timeline}, and a backup whose history that timeline has."
        )
    if places and places.near:
        return f"Ask again with --target-name {shlex.quote(places.near[0])}, if that is meant."
    return None
