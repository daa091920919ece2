"""Archiving is on, WAL waits, and nothing was ever archived.

Why it matters
    A counter of failures that stays at zero looks healthy; here nothing was ever stored.
How to look
    SHOW archive_mode; SHOW archive_command; SHOW archive_library; then SELECT * FROM
    pg_stat_archiver. An empty command leaves a WARNING a cycle in the server log.
What to do
    Set archive_command (or archive_library), reload, and see that pg_stat_archiver.archived_count
    grows after SELECT pg_switch_wal().
"""

from collections.abc import Iterator

from parsers.sentences import tr
from rules.model.counted import counted
from rules.model.facts import ArchiverFacts, ArchiveStatusFacts, Objectives, SettingsFacts
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL, hold_seconds=60)
def archiver_never_succeeded(
    archiver: ArchiverFacts,
    status: ArchiveStatusFacts,
    settings: SettingsFacts,
    objectives: Objectives,
) -> Iterator[Found]:
    if settings.value("archive_mode") not in ("on", "always") or archiver.archived_count:
        return
    if status.oldest_ready_at is None or status.done:
        return
    if (status.listed_at - status.oldest_ready_at).total_seconds() > objectives.rpo_seconds:
        yield Found(
            tr(
                "nothing was ever archived; {files} waiting",
                files=counted(len(status.ready), "file"),
            ),
            ready_count=len(status.ready),
            failed_count=archiver.failed_count,
        )
