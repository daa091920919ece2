"""VACUUM cut a table short, and the incremental backup after it has an old visibility map.

Why it matters
    With data checksums and wal_log_hints off, cutting a table short changes its visibility map
    without a record that WAL summaries heed: an incremental backup takes the old map over. When the
    restored table grows again, index-only scans can return deleted rows, and VACUUM can skip pages
    that must be frozen. Summaries that were written before the update stay wrong.
How to look
    pg_waldump -r Storage shows the TRUNCATE records; the finding names the files. In the database,
    SELECT pg_filenode_relation(0, NUMBER) names the table; pg_check_visible(TABLE) of the extension
    pg_visibility finds wrong bits in a restored cluster.
What to do
    Update the server (18.7, 17.12, or later), remove pg_wal/summaries/* while it is stopped, take a
    new full backup. In a cluster that was restored from the chain, on each table:
    SELECT pg_truncate_visibility_map('TABLE'); then VACUUM it.
"""

from collections.abc import Iterator
from datetime import date
from typing import Final

from parsers.sentences import tr
from parsers.wal.facts import RelationTruncate
from rules.model.counted import counted
from rules.model.evidence import WalEventsFacts
from rules.model.facts import BackupFacts, BackupsFacts
from rules.model.findings import Severity
from rules.model.releases import ReleasesFacts
from rules.verdict.check import Found, check
from rules.verdict.fault import KnownFault

FAULT: Final = KnownFault(
    mended={17: 12, 18: 7},
    mended_on=date(2026, 11, 12),
    notes="18.7, Migration: several ways that incremental backups could become corrupt",
)
_SHOWN: Final = 10
# Heap pages that a page of the visibility map is about: HEAPBLOCKS_PER_PAGE in visibilitymap.c.
_HEAP_PAGES: Final = (8192 - 24) * 4


@check(severity=Severity.WARNING)
def known_fault_incremental_truncation(
    backups: BackupsFacts, events: WalEventsFacts, releases: ReleasesFacts | None
) -> Iterator[Found]:
    for backup in backups.backups:
        cut = [event for event in _cut_before(backup, events) if event.blocks % _HEAP_PAGES]
        names = list(dict.fromkeys(str(event.relation) for event in cut))
        if not names or backup.control is None:
            continue
        if backup.control.data_checksum_version or backup.control.wal_log_hints:
            continue
        more = len(names) - _SHOWN
        yield from FAULT.of_backup(
            backup,
            releases,
            tr(
                "{url}, incremental, began after VACUUM cut {tables} short",
                url=backup.url,
                tables=counted(len(names), "table"),
            ),
            tr(
                "it can have an old visibility map of {tables}{more}"
                " (tablespace/database/filenode)",
                tables=", ".join(names[:_SHOWN]),
                more=tr(" and {count} more", count=more) if more > 0 else "",
            ),
            tr(
                "Take a new full backup; after a restore of this chain, on each of "
                "these tables: SELECT pg_truncate_visibility_map('TABLE'); VACUUM "
                "TABLE;"
            ),
            relations=", ".join(names[:_SHOWN]),
        )


def _cut_before(backup: BackupFacts, events: WalEventsFacts) -> Iterator[RelationTruncate]:
    """What was cut short between the backup that it builds on, and it."""
    first, label = backup.label.incremental_from_lsn, backup.label
    timelines = {label.incremental_from_timeline, label.timeline}
    for timeline, event in events.vacuum_truncations:
        if first is not None and first <= event.lsn < label.start_lsn and timeline in timelines:
            yield event
