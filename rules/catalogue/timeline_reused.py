"""Two servers took the same timeline number, and both archive here.

Why it matters
    The files of the two have the same names and overwrite each other. What is left under the number
    is a mixture: a restore along it ends where the histories part, or cannot begin.
How to look
    Compare the .history files and the first segments of that timeline from both servers; the
    finding names what contradicts.
What to do
    Find the server that does not belong here (pg_controldata shows each one's timeline) and give it
    an archive of its own; then take a base backup of the one that stays. Restored servers take a
    number twice when the archive does not hold the .history files of those before them.
"""

from collections.abc import Iterator

from parsers.lsn import format_lsn
from parsers.sentences import tr
from rules.model.evidence import WalEventsFacts
from rules.model.facts import ArchiveFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL)
def timeline_reused(archive: ArchiveFacts, events: WalEventsFacts | None) -> Iterator[Found]:
    for begin in events.reused if events else ():
        at = format_lsn(begin.lsn)
        yield Found(
            tr(
                "a server began timeline {timeline} at {at}, and its history file "
                "says that it began elsewhere",
                timeline=begin.timeline,
                at=at,
            ),
            timeline=begin.timeline,
            lsn=at,
        )
    for timeline in sorted(archive.disputed_histories):
        yield Found(
            tr("the archives hold two different {timeline:08X}.history", timeline=timeline),
            timeline=timeline,
            lsn=None,
        )
