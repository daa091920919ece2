"""What the tool lists of its WAL and what lies there are not the same.

Why it matters
    Barman restores what xlog.db lists. A segment that is listed and gone refuses every restore that
    copies it, also to a target before it; one that is there and not listed is never restored.
How to look
    barman check-backup must not be run for this: it writes FAILED into backup.info. xlog.db beside
    ls of the folder wals.
What to do
    Bring the segments back from another copy, or from the primary's pg_wal if it still has them;
    then have the list made anew with barman rebuild-xlogdb.
"""

from collections.abc import Collection, Iterator
from typing import Final

from parsers.segment import NameKind, parse_wal_name
from parsers.sentences import tr
from rules.model.counted import counted
from rules.model.facts import ArchiveFacts, BackupsFacts
from rules.model.findings import Severity
from rules.model.repository import RepositoriesRead
from rules.verdict.check import Found, check

_TOLD: Final = {
    "gone": tr("{segments} of {name} listed in xlog.db and absent, the first {first}"),
    "unlisted": tr("{segments} of {name} not in xlog.db, the first {first}"),
}


@check(severity=Severity.WARNING)
def repository_wal_gone(
    tools: RepositoriesRead, archive: ArchiveFacts, backups: BackupsFacts
) -> Iterator[Found]:
    starts = [each.label.start_segment[8:] for each in backups.backups if each.stored]
    if not starts:
        return
    for each in tools.repositories:
        if each.listed_wal is None:
            continue
        listed, there = set(_needed(each.listed_wal, min(starts))), archive.segments
        gone = sorted(name for name in listed if name not in there)
        unlisted = sorted(name for name in _needed(there, min(starts)) if name not in listed)
        remedy = tr("Bring back what is gone, then: barman rebuild-xlogdb {name}", name=each.name)
        for names, said in ((gone, "gone"), (unlisted, "unlisted")):
            if names:
                yield Found(
                    tr(
                        _TOLD[said],
                        segments=counted(len(names), "segment"),
                        name=each.name,
                        first=names[0],
                    ),
                    remedy=remedy,
                    first=names[0],
                    last=names[-1],
                    segments=len(names),
                    kind=said,
                )


def _needed(names: Collection[str], start: str) -> Iterator[str]:
    """Segments from the oldest backup on: those before it may be expiring at this moment."""
    for name in names:
        parsed = parse_wal_name(name)
        if parsed is not None and parsed.kind is NameKind.SEGMENT and name[8:] >= start:
            yield name
