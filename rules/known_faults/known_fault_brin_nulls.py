"""BRIN indexes that an older release built may have forgotten NULLs.

Why it matters
    Releases before 2023-08-10 confused page ranges without rows with ranges that are all NULL, and
    merged the latter wrongly: a search for IS NULL can miss rows. No update mends an index that is
    there, and a restore brings it back as it was.
What to do
    Update the server. Then list the indexes in each database, and run REINDEX INDEX CONCURRENTLY on
    each that is older than the update, in a restored cluster too: SELECT DISTINCT
    i.indexrelid::regclass FROM pg_index i, unnest(i.indclass) c JOIN pg_opclass o ON o.oid = c JOIN
    pg_am a ON a.oid = o.opcmethod WHERE amname = 'brin'
"""

from collections.abc import Iterator
from datetime import date
from typing import Final

from parsers.sentences import tr
from rules.model.evidence import WalEventsFacts
from rules.model.facts import BackupsFacts
from rules.model.findings import Severity
from rules.model.releases import ReleasesFacts
from rules.verdict.check import Found, check
from rules.verdict.fault import KnownFault

FAULT: Final = KnownFault(
    mended={13: 12, 14: 9, 15: 4},
    mended_on=date(2023, 8, 10),
    notes="15.4: Fix confusion between empty (no rows) ranges and all-NULL ranges in BRIN indexes",
)
_BRIN: Final = 17  # rmgrlist.h


@check(severity=Severity.INFO)
def known_fault_brin_nulls(
    backups: BackupsFacts, events: WalEventsFacts, releases: ReleasesFacts | None
) -> Iterator[Found]:
    if _BRIN in events.resource_managers:
        yield from FAULT.of_indexes(
            backups.backups, releases, "BRIN", tr("searches for NULL can miss rows")
        )
