"""PostgreSQL was told that WAL is archived, and no repository has it.

Why it matters
    PostgreSQL removes what it takes for archived: it is lost for every restore, and no restore from
    the backups that are there gets past it. archive-push does so when more waits than
    archive-push-queue-max; pg_stat_archiver counts it as archived.
How to look
    SPOOL/archive/STANZA/out/*.ok, until the next push removes them; "dropped WAL file" in
    STANZA-archive-push-async.log and in the server's log.
What to do
    While pg_wal still has the segments, push them by hand. Else take a backup now: it begins after
    the gap. Then raise archive-push-queue-max, or see to what kept the repository from taking WAL.
"""

from collections.abc import Iterator
from typing import Final

from parsers.repository.pgbackrest_spool import DROPPED
from parsers.segment import NameKind, parse_wal_name
from parsers.sentences import tr
from rules.model.counted import counted
from rules.model.facts import ArchiveFacts, BackupsFacts
from rules.model.findings import Severity
from rules.model.repository import RepositoriesRead
from rules.verdict.check import Found, Note, check

_PUSHED: Final = tr("the spool says that it was pushed")
_RAISE: Final = tr("; then raise archive-push-queue-max")


@check(severity=Severity.CRITICAL)
def repository_wal_dropped(
    tools: RepositoriesRead, archive: ArchiveFacts, backups: BackupsFacts
) -> Iterator[Found]:
    starts = [each.label.start_segment[8:] for each in backups.backups if each.stored]
    unread = {each.spool_unread for each in tools.repositories if each.spool_unread}
    for spool in unread:
        yield Note(tr("{spool}: what was dropped is not known", spool=spool), kind="unread")
    if not starts:
        return
    lost: dict[str, dict[str, str]] = {}  # kind -> segment -> why it was not pushed
    for each in tools.repositories:
        for name, why in each.acknowledged.items():
            if _is_needed(name, min(starts)) and name not in archive.segments:
                lost.setdefault(_kind(why), {})[name] = why or _PUSHED
    for kind, whys in sorted(lost.items()):
        first, stanza = min(whys), tools.repositories[0].name
        yield Found(
            tr(
                "{segments} of {stanza} that PostgreSQL takes for archived in no "
                "repository, the first {first}: {why}",
                segments=counted(len(whys), "segment"),
                stanza=stanza,
                first=first,
                why=whys[first],
            ),
            remedy=tr(
                "While pg_wal has it: pgbackrest --stanza={stanza} --no-archive-async"
                " archive-push pg_wal/{first}. Else take a backup now: pgbackrest"
                " --stanza={stanza} backup{then}.",
                stanza=stanza,
                first=first,
                then=_RAISE if kind == "dropped" else "",
            ),
            first=first,
            last=max(whys),
            segments=len(whys),
            kind=kind,
        )


def _kind(why: str | None) -> str:
    if why is None:
        return "absent"
    return "dropped" if why.startswith(DROPPED) else "skipped"


def _is_needed(name: str, start: str) -> bool:
    """Segments from the oldest backup on: those before it may have expired."""
    parsed = parse_wal_name(name)
    return parsed is not None and parsed.kind is NameKind.SEGMENT and name[8:] >= start
