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

from rules.check import Found, check
from rules.facts import ScanFacts
from rules.findings import Severity


@check(severity=Severity.CRITICAL)
def foreign_system(scan: ScanFacts) -> Iterator[Found]:
    for damage in scan.damaged:
        if damage.kind == "foreign_system":
            yield Found(
                f"{damage.segment} was written by another cluster: {damage.detail}",
                segment=damage.segment,
                detail=damage.detail,
            )
