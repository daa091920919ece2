"""A timeline history file could not be looked into.

Why it matters
    It names the timelines that a restore passes through. Without it, what can be reached on its
    timeline is not known; a server that cannot read it either stops with a FATAL.
How to look
    ls -l shows what the file is. Only regular files are read, and a link only within the archive:
    whoever can write there could have others' files read.
What to do
    Make it a regular file that this user may read. pg_wal of the server on that timeline holds a
    copy.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.facts import ArchiveFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.UNKNOWN, hold_seconds=60)
def history_unread(archive: ArchiveFacts) -> Iterator[Found]:
    for timeline, broken in sorted(archive.broken_histories.items()):
        if broken.unread:
            yield Found(
                tr(
                    "{timeline:08X}.history was not read: {reason}",
                    timeline=timeline,
                    reason=broken.reason,
                ),
                timeline=timeline,
            )
