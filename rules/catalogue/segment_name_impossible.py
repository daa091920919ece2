"""A file in the archive is named like a segment that cannot exist.

Why it matters
    At this archive's segment size no server writes such a segment and recovery never asks for one,
    so it is left out of every judgement. It may be what a cluster with another segment size
    archived into the same directory, and then there is more of that.
How to look
    pg_waldump FILE | head shows what it holds. The last eight digits of a name count the segments
    of 4 GiB of WAL: 0 to FF with segments of 16 MiB.
What to do
    Find out what wrote it: search archive_command of every server that can reach the archive. Give
    each cluster a directory of its own, and move the file out of this one.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.facts import ArchiveFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING, hold_seconds=60)
def segment_name_impossible(archive: ArchiveFacts) -> Iterator[Found]:
    names, size = archive.impossible, archive.segment_size_bytes
    if names:
        more = tr(" and {count} more", count=len(names) - 1) if len(names) > 1 else ""
        which = tr("{first}{more}", first=names[0], more=more)
        yield Found(
            tr(
                "{which}: no segment of {size} MiB can have such a name",
                which=which,
                size=size >> 20,
            )
            if size
            else tr("{which}: no segment can have such a name", which=which),
            first=names[0],
            files=len(names),
        )
