"""A timeline history file names no parent.

Why it matters
    The server takes such a timeline for one without ancestors. Recovery follows the newest history
    by default: from a backup of an earlier timeline it then looks for the checkpoint on the new
    timeline, does not find it and refuses to start. No server writes such a file: it was cut short,
    or made by hand.
How to look
    cat the file: each line is the parent's number, the LSN of the switch and a reason. Compare
    with the copy in pg_wal of the server on that timeline.
What to do
    Replace it by the copy in pg_wal of the server that runs on this timeline. If there is no such
    timeline, move the file out of the archive.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.facts import ArchiveFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING, hold_seconds=60)
def history_empty(archive: ArchiveFacts) -> Iterator[Found]:
    for timeline, history in sorted(archive.histories.items()):
        if timeline > 1 and not history.entries:  # the first has no parent, and needs no file
            yield Found(
                tr(
                    "{timeline:08X}.history is there and names no parent of timeline {timeline}",
                    timeline=timeline,
                ),
                timeline=timeline,
            )
