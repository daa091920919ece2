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

from datetime import date
from typing import Final

from parsers.sentences import tr
from rules.verdict.fault import KnownFault

FAULT: Final = KnownFault(
    mended={13: 14, 14: 11, 15: 6, 16: 2},
    mended_on=date(2024, 2, 8),
    notes="15.6: Fix insufficient locking when cleaning up an incomplete split of a GIN index's "
    "internal page",
)
known_fault_gin_split = FAULT.of_indexes(
    __name__, "GIN", tr("a page that two sessions split at once can be damaged")
)
