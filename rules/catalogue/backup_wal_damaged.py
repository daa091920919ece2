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

from parsers.lsn import format_lsn
from parsers.sentences import tr, trn
from rules.model.evidence import CarriedWalFacts
from rules.model.findings import Severity
from rules.model.gathered import gathered, span_of
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING)
def backup_wal_damaged(carried: CarriedWalFacts) -> Iterator[Found]:
    for found in gathered(carried.damaged, lambda each: (each[0], each[1].kind, each[2])):
        url, damage, archived = found[0]
        instead = tr("the archive has it too") if archived else tr("the archive does not have it")
        lsn = format_lsn(damage.lsn) if damage.lsn is not None else None
        at = tr(" at {lsn}", lsn=lsn) if lsn else ""
        more = len(found) - 1
        others = trn("; so is {n} more", "; so are {n} more", more) if more else ""
        yield Found(
            tr(
                "{segment} in pg_wal of {url} is damaged{at} ({kind}): {detail}; {instead}{others}",
                segment=damage.segment,
                url=url,
                at=at,
                kind=damage.kind,
                detail=damage.detail,
                instead=instead,
                others=others,
            ),
            backup=url,
            segment=damage.segment,
            lsn=lsn,
            kind=damage.kind,
            archived=archived,
            **span_of([each[1].segment for each in found]),
        )
