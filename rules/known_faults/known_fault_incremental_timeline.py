"""An incremental backup reaches over a promotion, and may lack what changed after it.

Why it matters
    Servers of 17 and 18 also used WAL summaries of the old timeline that only touch the switch
    point. What such a summary says of a truncated table makes the incremental backup leave changed
    blocks out: after pg_combinebackup, updated rows can have their old values again.
How to look
    INCREMENTAL FROM TLI in its backup_label is another timeline than START TIMELINE. Compare with a
    restore of the full backup that replays the archive: it does not use summaries.
What to do
    Update the server (18.7, 17.12, or later), and take a new full backup on the new timeline.
    Until then restore from the full backup and the archive, not from this chain.
"""

from collections.abc import Iterator
from datetime import date
from typing import Final

from parsers.sentences import tr
from rules.model.facts import BackupsFacts
from rules.model.findings import Severity
from rules.model.releases import ReleasesFacts
from rules.verdict.check import Found, check
from rules.verdict.fault import KnownFault

FAULT: Final = KnownFault(
    mended={17: 12, 18: 7},
    mended_on=date(2026, 11, 12),
    notes="18.7: Fix WAL summary boundary checks for incremental backups",
)


@check(severity=Severity.WARNING)
def known_fault_incremental_timeline(
    backups: BackupsFacts, releases: ReleasesFacts | None
) -> Iterator[Found]:
    for backup in backups.backups:
        before = backup.label.incremental_from_timeline
        if before is None or before == backup.label.timeline:
            continue
        yield from FAULT.of_backup(
            backup,
            releases,
            tr(
                "{url} is incremental from timeline {before} to {timeline}",
                url=backup.url,
                before=before,
                timeline=backup.label.timeline,
            ),
            tr("such a backup could leave blocks out that changed after the promotion"),
            tr("Take a new full backup on timeline {timeline}.", timeline=backup.label.timeline),
            from_timeline=before,
            timeline=backup.label.timeline,
        )
