"""BRIN indexes with multiple numeric ranges may be bloated and slow.

Why it matters
    Releases before 2025-08-14 merged the ranges of numeric_minmax_multi_ops by wrong distances.
    Such an index gives right answers, but excludes few pages: what is fast on a rebuilt index is
    not on the restored one.
What to do
    Update the server. Then list the indexes in each database, and run REINDEX INDEX CONCURRENTLY on
    each that is older than the update, in a restored cluster too: SELECT DISTINCT
    i.indexrelid::regclass FROM pg_index i, unnest(i.indclass) c JOIN pg_opclass o ON o.oid = c JOIN
    pg_am a ON a.oid = o.opcmethod WHERE opcname = 'numeric_minmax_multi_ops'
"""

from datetime import date
from typing import Final

from parsers.sentences import tr
from rules.verdict.fault import KnownFault

FAULT: Final = KnownFault(
    mended={14: 19, 15: 14, 16: 10, 17: 6},
    mended_on=date(2025, 8, 14),
    notes="15.14: Fix incorrect distance calculation in BRIN numeric_minmax_multi_ops support "
    "function",
)
known_fault_brin_distances = FAULT.of_indexes(
    __name__, "BRIN", tr("those of numeric_minmax_multi_ops are bloated")
)
