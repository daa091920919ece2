"""GIN indexes may have been damaged by sessions that wrote to them at once.

Why it matters
    Releases before 2024-02-08 finished a page split under too weak a lock. Two sessions that did so
    at once could damage the index. No update mends an index that is there, and a restore brings it
    back as it was.
What to do
    Update the server. Then list the indexes in each database, and run REINDEX INDEX CONCURRENTLY on
    each that is older than the update, in a restored cluster too: SELECT DISTINCT
    i.indexrelid::regclass FROM pg_index i, unnest(i.indclass) c JOIN pg_opclass o ON o.oid = c JOIN
    pg_am a ON a.oid = o.opcmethod WHERE amname = 'gin'
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
    mended={13: 14, 14: 11, 15: 6, 16: 2},
    mended_on=date(2024, 2, 8),
    notes="15.6: Fix insufficient locking when cleaning up an incomplete split of a GIN index's "
    "internal page",
)
_GIN: Final = 13  # rmgrlist.h


@check(severity=Severity.INFO)
def known_fault_gin_split(
    backups: BackupsFacts, events: WalEventsFacts, releases: ReleasesFacts | None
) -> Iterator[Found]:
    if _GIN in events.resource_managers:
        yield from FAULT.of_indexes(
            backups.backups,
            releases,
            "GIN",
            tr("a page that two sessions split at once can be damaged"),
        )
