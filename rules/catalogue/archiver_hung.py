"""The archiver has finished nothing for longer than the recovery point objective, and WAL waits.

Why it matters
    An archive_command that hangs is neither a success nor a failure: no counter moves, and what
    waits would be lost with the disk. An archiver that died (a command that exits above 125) looks
    the same.
How to look
    ps on the server shows "archiver archiving SEGMENT"; its child is the command that hangs
    (pstree -p). SELECT wait_event FROM pg_stat_activity WHERE backend_type = 'archiver' shows
    ArchiveCommand. No archiver process at all: the log says why it ended.
What to do
    Look at what the archiver does (ps: "archiver archiving …"; wait event ArchiveCommand in
    pg_stat_activity), end the hanging command, and give it a timeout of its own.
"""

import math
from collections.abc import Iterator
from datetime import datetime

from parsers.sentences import tr
from rules.model.counted import timed
from rules.model.facts import ArchiverFacts, ArchiveStatusFacts, Objectives
from rules.model.findings import Severity
from rules.verdict.check import Found, check


@check(severity=Severity.CRITICAL, hold_seconds=30)
def archiver_hung(
    status: ArchiveStatusFacts,
    archiver: ArchiverFacts | None,
    objectives: Objectives,
) -> Iterator[Found]:
    if status.oldest_ready_at is None or _fails(archiver):
        return
    waited_seconds = (status.listed_at - status.oldest_ready_at).total_seconds()
    if min(waited_seconds, _idle_seconds(archiver, status.listed_at)) > objectives.rpo_seconds:
        yield Found(
            tr(
                "{segment} has waited {waited} for the archiver, which reports no failure; the"
                " objective is {objective}",
                segment=status.oldest_ready,
                waited=timed(waited_seconds),
                objective=timed(objectives.rpo_seconds),
            ),
            segment=status.oldest_ready,
            ready_at=status.oldest_ready_at.isoformat(),
            waited_seconds=round(waited_seconds, 1),
            ready_count=len(status.ready),
        )


def _idle_seconds(archiver: ArchiverFacts | None, now: datetime) -> float:
    """Since the last success: an archiver that works off what an outage left is not hung."""
    if archiver is None or archiver.last_archived_at is None:
        return math.inf
    return (now - archiver.last_archived_at).total_seconds()


def _fails(archiver: ArchiverFacts | None) -> bool:
    """An archiver that reports its failures has a finding of its own: archiver_failing."""
    if archiver is None or archiver.last_failed_at is None:
        return False
    return archiver.last_archived_at is None or archiver.last_failed_at > archiver.last_archived_at
