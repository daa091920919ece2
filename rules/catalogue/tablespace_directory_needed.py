"""Recovery needs directories for tablespaces, and nobody looked whether they are there.

Why it matters
    Without the directory recovery ends with a FATAL at the record that creates the tablespace,
    even when the tablespace was dropped again before the target.
What to do
    Make each directory on the machine of the restore, empty and owned by the server's account,
    before the server is started there. Files of a tablespace in the backup go into it first.
"""

from collections.abc import Iterator

from rules.check import Found, check
from rules.findings import Severity
from rules.restore import Location
from rules.target import TargetFacts


@check(severity=Severity.INFO)
def tablespace_directory_needed(target: TargetFacts) -> Iterator[Found]:
    for needed in target.directories:
        is_there = needed.found in (Location.USABLE, Location.IN_USE)
        said_already = needed.found is not None and needed.lsn is not None
        if not is_there and not said_already:
            yield Found(
                f"the machine of the restore must have the directory {needed.location} for"
                f" tablespace {needed.tablespace}",
                tablespace=needed.tablespace,
                directory=needed.location,
            )
