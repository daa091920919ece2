"""WAL in a base backup's own pg_wal is damaged.

Why it matters
    As long as the archive has the segment recovery does not look at this one. When the archive
    loses it, the backup cannot become consistent, although it seems to bring its WAL along.
How to look
    The finding names the segment, in the backup's own pg_wal or pg_wal.tar, and the LSN.
    pg_waldump on the file stops at the same place; see whether the archive has a whole copy of
    it.
What to do
    Copy the segment from the archive into the backup's pg_wal, or take a new base backup. Damage
    in one file of a backup is reason to verify the others: --backup-depth checksums.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.evidence import CarriedWalFacts
from rules.findings import Severity


@check(severity=Severity.WARNING)
def backup_wal_damaged(carried: CarriedWalFacts) -> Iterator[Found]:
    for url, damage, archived in carried.damaged:
        instead = "the archive has it too" if archived else "the archive does not have it"
        yield Found(
            f"{damage.segment} in pg_wal of {url} is damaged ({damage.kind}): {damage.detail};"
            f" {instead}",
            backup=url,
            segment=damage.segment,
            kind=damage.kind,
            archived=archived,
        )
