"""btree_gist indexes on floating-point columns may be wrong where there is NaN.

Why it matters
    Releases before 2026-08-13 compared NaN wrongly in btree_gist's classes for float4 and float8,
    and put entries where searches do not look. No update mends an index that is there, and a
    restore brings it back as it was.
What to do
    Update the server. Then list the indexes in each database, and run REINDEX INDEX CONCURRENTLY on
    each that is older than the update, in a restored cluster too: SELECT DISTINCT
    i.indexrelid::regclass FROM pg_index i, unnest(i.indclass) c JOIN pg_opclass o ON o.oid = c JOIN
    pg_am a ON a.oid = o.opcmethod WHERE opcname IN ('gist_float4_ops', 'gist_float8_ops')
"""

from datetime import date
from typing import Final

from parsers.sentences import tr
from rules.verdict.fault import KnownFault

FAULT: Final = KnownFault(
    mended={14: 24, 15: 19, 16: 15, 17: 11, 18: 6},
    mended_on=date(2026, 8, 13),
    notes="15.19: In contrib/btree_gist, fix NaN handling in the float4 and float8 opclasses",
)
known_fault_gist_float = FAULT.of_indexes(
    __name__,
    "GiST",
    tr("those of btree_gist on floating-point columns can be wrong where there is NaN"),
)
