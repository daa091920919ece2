"""GiST indexes of pg_trgm may miss rows.

Why it matters
    Releases before 2026-11-12 could lose the mark that says how an entry is stored when they
    combined entries of a trigram index. No update mends an index that is there, and a restore
    brings it back as it was.
What to do
    Update the server. Then list the indexes in each database, and run REINDEX INDEX CONCURRENTLY on
    each that is older than the update, in a restored cluster too: SELECT DISTINCT
    i.indexrelid::regclass FROM pg_index i, unnest(i.indclass) c JOIN pg_opclass o ON o.oid = c JOIN
    pg_am a ON a.oid = o.opcmethod WHERE opcname = 'gist_trgm_ops'
"""

from datetime import date
from typing import Final

from parsers.sentences import tr
from rules.verdict.fault import KnownFault

FAULT: Final = KnownFault(
    mended={14: 25, 15: 20, 16: 16, 17: 12, 18: 7},
    mended_on=date(2026, 11, 12),
    notes="15.20: Fix possible index corruption in contrib/pg_trgm GiST indexes",
)
known_fault_gist_trigram = FAULT.of_indexes(__name__, "GiST", tr("those of pg_trgm can miss rows"))
