"""What has a segment's name in the archive is no file: a directory, a pipe, a link to nothing.

Why it matters
    No archiver leaves such a thing. It lies away from the timeline's segments, so it is not
    taken for one and no WAL is missing before it; what it is there for is not known.
How to look
    ls -ld PATH and, for a link, readlink PATH show what it is.
What to do
    Move it out of the archive. Search archive_command and whatever else writes there for what
    made it.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.facts import ArchiveFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.UNKNOWN, hold_seconds=300)
def segment_not_a_file(archive: ArchiveFacts) -> Iterator[Found]:
    for kind in sorted(set(archive.strays.values())):
        names = sorted(name for name, what in archive.strays.items() if what == kind)
        more = tr(" and {count} more", count=len(names) - 1) if len(names) > 1 else ""
        told = tr("{first}{more}: {kind}", first=names[0], more=more, kind=kind)
        yield Found(told, first=names[0], entries=len(names))
