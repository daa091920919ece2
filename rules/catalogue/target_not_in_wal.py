"""The transaction or restore point asked for is not in the WAL that recovery would replay.

Why it matters
    PostgreSQL looks for it on one timeline, from the backup's start on, and gives up at the end of
    the WAL ("recovery ended before configured recovery target was reached").
What to do
    Of a restore point: compare the name, letter by letter, with those that the verdict lists. Of a
    transaction: look for its number with pitr-check find --xid. What lies before the backup needs
    an older one; what lies on another timeline needs --timeline.
"""

import shlex
from collections.abc import Iterator

from parsers.lsn import format_lsn
from parsers.sentences import joined, tr
from rules.model.evidence import PlacesFacts
from rules.model.findings import Severity
from rules.model.outcome import Cause
from rules.model.target import TargetFacts
from rules.verdict.check import Found, check

_ELSEWHERE = tr(
    "What lies before the backup needs an older one; what lies on "
    "another timeline needs --timeline."
)
_OF_A_RESTORE_POINT = tr(
    "Compare the name, letter by letter, with the restore points that "
    "the verdict lists. {elsewhere}",
    elsewhere=_ELSEWHERE,
)
_OF_A_TRANSACTION = tr(
    "Find the number of the transaction that is meant: pitr-check find "
    "--around T lists those of that time, --xid X also finds a "
    "subtransaction's. A transaction that was still open, or was never "
    "given a number, cannot be a target. {elsewhere}",
    elsewhere=_ELSEWHERE,
)


@check(severity=Severity.CRITICAL, asked=True)
def target_not_in_wal(target: TargetFacts, places: PlacesFacts | None) -> Iterator[Found]:
    if target.cause is not Cause.NOT_IN_WAL:
        return
    found = places.places if places else ()
    near = places.near if places else ()
    where = joined(
        "; ",
        [
            tr("timeline {timeline} at {lsn}", timeline=p.timeline, lsn=format_lsn(p.lsn))
            for p in found
        ],
    )
    told: str = target.reason
    if found:
        told = tr("{reason}; it is on {where}", reason=told, where=where)
    elif near:
        told = tr("{reason}; there is {like}", reason=told, like=", ".join(map(repr, near)))
    yield Found(
        told,
        outcome=target.outcome,
        timeline=target.timeline,
        found_on=found[0].timeline if found else None,
        nearest=near[0] if near else None,
        remedy=_remedy(target, places),
    )


def _remedy(target: TargetFacts, places: PlacesFacts | None) -> str:
    """Where only another timeline has it, or a name is much like it; else where to look."""
    found = {place.timeline for place in places.places} if places else set()
    if found and target.timeline not in found:
        timeline = min(found)
        return tr(
            "Ask again with --timeline {timeline}, and a backup whose history that timeline has.",
            timeline=timeline,
        )
    if places and places.near:
        return tr(
            "Ask again with --target-name {name}, if that is meant.",
            name=shlex.quote(places.near[0]),
        )
    return _OF_A_TRANSACTION if target.target.type == "xid" else _OF_A_RESTORE_POINT
