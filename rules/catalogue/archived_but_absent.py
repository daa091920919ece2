"""The server says that it archived segments which the archive does not hold.

Why it matters
    The archiver will never send them again and the server recycles them: what they hold is lost
    while every counter looks healthy. A command that ends in "|| true", an asynchronous spool that
    dropped its queue and a lifecycle rule that deletes do this.
How to look
    The finding names the segments. Look for them in the archive under any suffix, in pg_wal
    (SELECT * FROM pg_ls_waldir() ORDER BY name), and read the log of the archive command or its
    tool around pg_stat_archiver.last_archived_time.
What to do
    Copy the segments from pg_wal if they are still there, take a new base backup, and let
    archive_command exit non-zero when it has not stored the file.
"""

from collections.abc import Iterator

from parsers.sentences import trn
from rules.model.evidence import AbsentFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL)
def archived_but_absent(absent: AbsentFacts) -> Iterator[Found]:
    count = len(absent.segments)
    if count:
        yield Found(
            trn(
                "{n} segment reported as archived is not in the archive, the oldest {oldest}",
                "{n} segments reported as archived are not in the archive, the oldest {oldest}",
                count,
                oldest=absent.segments[0],
            ),
            first=absent.segments[0],
            last=absent.segments[-1],
            segments=count,
            witness=absent.witness,
        )
