"""The archive holds WAL of another cluster.

Why it matters
    PostgreSQL only logs the difference and ends recovery there. Two clusters that archive into one
    place overwrite each other's segments: what they replaced is gone.
How to look
    pg_controldata of the cluster shows its system identifier; the finding names the segments of
    the other. See which server's archive_command points here.
What to do
    Find the other cluster by its system identifier (pg_controldata, pg_control_system()) and give
    it an archive of its own; then take a base backup of both.
"""

from collections.abc import Iterator

from parsers.sentences import trn
from rules.model.counted import among
from rules.model.facts import ScanFacts
from rules.model.findings import Severity
from rules.model.gathered import gathered, span_of
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL)
def foreign_system(scan: ScanFacts) -> Iterator[Found]:
    foreign = [damage for damage in scan.damaged if damage.kind == "foreign_system"]
    for found in gathered(foreign, lambda damage: damage.detail, few=0):
        names = sorted(damage.segment for damage in found)
        yield Found(
            trn(
                "{names} was written by another cluster: {detail}",
                "{names} were written by another cluster: {detail}",
                len(names),
                names=among(names),
                detail=found[0].detail,
            ),
            segment=names[0],
            detail=found[0].detail,
            **span_of(names),
        )
