"""A timeline history file cannot be read.

Why it matters
    Recovery stops with a FATAL on it, whichever target it was given. Where it is only noted, no
    recovery looks for it unless its timeline is asked for: the server looks for the number after
    the newest that it knows (findNewestTimeLine).
How to look
    cat the file: each line is the parent's number, the LSN of the switch and a reason. Compare
    with the copy in pg_wal of the server on that timeline.
What to do
    Replace it by the copy in pg_wal of the server that runs on this timeline.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.facts import ArchiveFacts
from rules.model.findings import Severity
from rules.model.segment_names import SegmentNames
from rules.model.timelines import latest_timeline
from rules.verdict.check import Found, Note, check


@check(severity=Severity.CRITICAL)
def history_broken(archive: ArchiveFacts) -> Iterator[Found]:
    looked_for = _looked_for(archive)
    for timeline, broken in sorted(archive.broken_histories.items()):
        if not broken.unread:
            found = Found if timeline in looked_for else Note
            yield found(
                tr(
                    "{timeline:08X}.history cannot be read: {reason}",
                    timeline=timeline,
                    reason=broken.reason,
                ),
                timeline=timeline,
                fatal=broken.fatal,
            )


def _looked_for(archive: ArchiveFacts) -> set[int]:
    """The timelines that have WAL, and those that the server finds from one of them."""
    known = {*archive.histories, *archive.broken_histories}
    own = {1, *SegmentNames.of(archive.segments).timelines}
    return {timeline for base in own for timeline in range(base, latest_timeline(known, base) + 1)}
