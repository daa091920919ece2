"""The archiver's latest attempt failed.

Why it matters
    Until an attempt succeeds, no commit in the waiting segments can be restored from the archive,
    and pg_wal grows until the disk is full.
How to look
    SELECT * FROM pg_stat_archiver shows the segment and the time. The server log has the
    command and its exit status: search it for "archive command failed". Then see whether the
    archive is reachable, writable and has room (df). A command that rightly refuses to overwrite
    is stuck where a file of that name is there already: the finding says so.
What to do
    Read the archiver's lines in the server log, and run archive_command by hand, as the server's
    account, on the oldest segment that has a .ready file in pg_wal/archive_status. If the file is
    there already and the same, let archive_command end with 0 for a file that cmp finds equal.
    If it is another, find out who wrote it before anything is moved: another server may archive
    into the same place.
"""

from collections.abc import Iterator
from typing import Final

from parsers.sentences import tr
from rules.model.evidence import OccupiedName
from rules.model.facts import ArchiverFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check

_SAME: Final = {True: "yes", False: "no", None: "not known"}


@check(severity=Severity.CRITICAL, hold_seconds=60)
def archiver_failing(archiver: ArchiverFacts, occupied: OccupiedName | None) -> Iterator[Found]:
    failed, archived = archiver.last_failed_at, archiver.last_archived_at
    if failed is not None and (archived is None or failed > archived):
        taken = occupied if occupied and occupied.name == archiver.last_failed_wal else None
        yield Found(
            tr(
                "WAL archiving is failing: {segment} at {failed:%Y-%m-%d %H:%M:%S%z}{taken}",
                segment=archiver.last_failed_wal,
                failed=failed,
                taken=_in_words(taken) if taken else "",
            ),
            segment=archiver.last_failed_wal,
            failed_at=failed.isoformat(),
            failed_count=archiver.failed_count,
            **({"there_already": taken.path, "same": _SAME[taken.same]} if taken else {}),
        )


def _in_words(taken: OccupiedName) -> str:
    if taken.same is None:
        return tr(
            ": {path} is there already; whether it is the same is not known ({why})",
            path=taken.path,
            why=taken.why_unknown,
        )
    if taken.same:
        return tr(": {path} is there already and is the same file", path=taken.path)
    return tr(": {path} is there already and is another file", path=taken.path)
