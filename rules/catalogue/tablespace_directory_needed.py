"""Recovery needs directories for tablespaces, and their existence was not checked.

Why it matters
    Without the directory recovery ends with a FATAL at the record that creates the tablespace,
    even when the tablespace was dropped again before the target.
What to do
    Create each directory on the target machine, empty and owned by the server's account,
    before the server is started there. Files of a tablespace in the backup go into it first.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.findings import Severity
from rules.model.restore_inputs import Location
from rules.model.target import TargetFacts
from rules.verdict.check import Found, check


@check(severity=Severity.INFO, asked=True)
def tablespace_directory_needed(target: TargetFacts) -> Iterator[Found]:
    for needed in target.directories:
        is_there = needed.found in (Location.USABLE, Location.IN_USE)
        said_already = needed.found is not None and needed.lsn is not None
        if not is_there and not said_already:
            yield Found(
                tr(
                    "the target machine must have the directory {location} for "
                    "tablespace {tablespace}",
                    location=needed.location,
                    tablespace=needed.tablespace,
                ),
                tablespace=needed.tablespace,
                directory=needed.location,
            )
