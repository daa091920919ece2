"""BRIN bloom indexes that an older release built may miss rows.

Why it matters
    Releases before 2025-05-08 could lose values when they merged summaries of a bloom operator
    class, most often in the parallel index builds of 17. No update mends an index that is there,
    and a restore brings it back as it was.
What to do
    Update the server. Then list the indexes in each database, and run REINDEX INDEX CONCURRENTLY on
    each that is older than the update, in a restored cluster too: SELECT DISTINCT
    i.indexrelid::regclass FROM pg_index i, unnest(i.indclass) c JOIN pg_opclass o ON o.oid = c JOIN
    pg_am a ON a.oid = o.opcmethod WHERE opcname ~ '_bloom_ops$' AND amname = 'brin'
"""

from datetime import date
from typing import Final

from parsers.sentences import tr
from rules.verdict.fault import KnownFault

FAULT: Final = KnownFault(
    mended={14: 18, 15: 13, 16: 9, 17: 5},
    mended_on=date(2025, 5, 8),
    notes="15.13: Avoid data loss when merging compressed BRIN summaries in brin_bloom_union()",
)
known_fault_brin_bloom = FAULT.of_indexes(
    __name__, "BRIN", tr("those of a bloom operator class can miss rows")
)
