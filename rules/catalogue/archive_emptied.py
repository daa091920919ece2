"""An archive that held WAL is empty, and stays so.

Why it matters
    No restore gets past the WAL that its backup carries. Either the segments were removed, or the
    file system that they lie on is not mounted where the archive is looked for; then
    archive_command may be filling the disk below it.
How to look
    findmnt -T DIRECTORY says what is mounted there. Look for what removes files: retention of
    another tool, a script, a person.
What to do
    Mount it. If the WAL is gone, take a base backup now: what was before cannot be restored to,
    but for the backups' own ends.
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.counted import counted
from rules.model.facts import ArchiveFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL)
def archive_emptied(archive: ArchiveFacts) -> Iterator[Found]:
    for url, held in sorted(archive.emptied.items()):
        yield Found(
            tr("{url} is empty, and held {segments}", url=url, segments=counted(held, "segment")),
            url=url,
            segments=held,
        )
