"""GIN indexes may return wrong rows, or miss some.

Why it matters
    Releases before 2026-11-12 could leave entries of dead rows in a GIN index when VACUUM had to go
    through it more than once, or beside a page split; and could disconnect pages that searches then
    miss. No update mends an index that is there, and a restore brings it back as it was.
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
    mended={14: 25, 15: 20, 16: 16, 17: 12, 18: 7},
    mended_on=date(2026, 11, 12),
    notes="15.20: Ensure that VACUUM cleans up all dead tuples in a GIN index; Fix GIN posting tree"
    " page deletion after an incomplete page split",
)
known_fault_gin_vacuum = FAULT.of_indexes(
    __name__, "GIN", tr("searches can return wrong rows, or miss some")
)
