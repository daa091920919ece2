"""A timeline history file cannot be read.

Why it matters
    Recovery stops with a FATAL on it, whichever target it was given.
How to look
    cat the file: each line is the parent's number, the LSN of the switch and a reason. Compare
    with the copy in pg_wal of the server on that timeline.
What to do
    Replace it by the copy in pg_wal of the server that runs on this timeline.
"""

from collections.abc import Iterator

from rules.model.facts import ArchiveFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL)
def history_broken(archive: ArchiveFacts) -> Iterator[Found]:
    for timeline, broken in sorted(archive.broken_histories.items()):
        if not broken.unread:
            yield Found(
                f"{timeline:08X}.history cannot be read: {broken.reason}",
                timeline=timeline,
                fatal=broken.fatal,
            )
