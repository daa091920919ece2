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

from parsers.sentences import tr
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
        lacks = tr(
            "lacks {segments} that another archive has",
            segments=counted(len(copy.lacking), "segment"),
        )
        if not copy.lacking:
            lacks = tr(
                "holds {segments} that only another archive has whole",
                segments=counted(len(copy.bad), "segment"),
            )
        yield Found(
            tr(
                "{url} {lacks}, the first {first}: {alone}",
                url=copy.url,
                lacks=lacks,
                first=first,
                alone=copy.in_words,
            ),
            archive=copy.url,
            first=first,
            lacking=len(copy.lacking),
            bad=len(copy.bad),
        )
