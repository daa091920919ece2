"""The directory of a tablespace, where recovery would put its files, is in use on this machine.

Why it matters
    Recovery creates the tablespace in the same directory and writes over the files of the server
    that lives there, without any error: a trial restore beside the primary destroys the primary.
What to do
    Restore on another machine, or where that directory is an empty one; if no server uses the
    files any more, move them away before the restore.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.findings import Severity
from rules.model.restore_inputs import Location
from rules.model.target import TargetFacts
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING, asked=True)
def tablespace_directory_in_use(target: TargetFacts) -> Iterator[Found]:
    for needed in target.directories:
        if needed.found is Location.IN_USE:
            yield Found(
                tr(
                    "recovery would write to {location}, tablespace {tablespace}, where "
                    "a server of the same major version already has files",
                    location=needed.location,
                    tablespace=needed.tablespace,
                ),
                tablespace=needed.tablespace,
                directory=needed.location,
            )
