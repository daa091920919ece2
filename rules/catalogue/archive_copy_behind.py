"""One of several archives lacks WAL that another has had for a while.

Why it matters
    The copies are there for the day on which one of them is lost. From this one alone a restore
    ends earlier than from all together, or cannot be made at all.
How to look
    `pitr-check` says of each archive what it alone reaches ("from this copy alone").
What to do
    See why the copy is behind: the job that copies, its credentials, its space, a lifecycle rule
    that deletes too early. Copy the segments that are missing; they are in the other archive.
"""

from collections.abc import Iterator

from rules.model.counted import counted
from rules.model.evidence import AloneFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.WARNING, hold_seconds=600)
def archive_copy_behind(alone: AloneFacts) -> Iterator[Found]:
    for copy in alone.by_archive:
        if not (copy.lacking or copy.bad):
            continue
        first = min((*copy.lacking, *copy.bad))
        lacks = f"lacks {counted(len(copy.lacking), 'segment')} that another archive has"
        if not copy.lacking:
            lacks = f"holds {counted(len(copy.bad), 'segment')} that only another archive has whole"
        yield Found(
            f"{copy.url} {lacks}, the first {first}: {copy.in_words}",
            archive=copy.url,
            first=first,
            lacking=len(copy.lacking),
            bad=len(copy.bad),
        )
