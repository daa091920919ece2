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

from datetime import date
from typing import Final

from parsers.sentences import tr
from rules.verdict.fault import KnownFault

FAULT: Final = KnownFault(
    mended={13: 12, 14: 9, 15: 4},
    mended_on=date(2023, 8, 10),
    notes="15.4: Fix confusion between empty (no rows) ranges and all-NULL ranges in BRIN indexes",
)
known_fault_brin_nulls = FAULT.of_indexes(__name__, "BRIN", tr("searches for NULL can miss rows"))
