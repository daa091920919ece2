"""GiST indexes that an older release built may miss rows.

Why it matters
    Releases before 2023-11-09 could lose track of a page when a split of it led to another while an
    index was built. No update mends an index that is there, and a restore brings it back as it was.
What to do
    Update the server. Then list the indexes in each database, and run REINDEX INDEX CONCURRENTLY on
    each that is older than the update, in a restored cluster too: SELECT DISTINCT
    i.indexrelid::regclass FROM pg_index i, unnest(i.indclass) c JOIN pg_opclass o ON o.oid = c JOIN
    pg_am a ON a.oid = o.opcmethod WHERE amname = 'gist'
"""

from datetime import date
from typing import Final

from parsers.sentences import tr
from rules.verdict.fault import KnownFault

FAULT: Final = KnownFault(
    mended={13: 13, 14: 10, 15: 5, 16: 1},
    mended_on=date(2023, 11, 9),
    notes="15.5: Fix misbehavior during recursive page split in GiST index build",
)
known_fault_gist_build = FAULT.of_indexes(__name__, "GiST", tr("searches can miss rows"))
