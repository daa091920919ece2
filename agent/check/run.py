"""One run of `pitr-check`: wait if told to, read, judge; and the answer when that cannot be."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from agent.backups.describe import BackupDepth
from agent.check.gather import Progress, Reading, gather
from agent.check.try_restore import try_restore_command
from parsers.wal_scan import Depth
from rules.backups import missing_segments
from rules.check import load_catalogue
from rules.drill import DrillFacts
from rules.report import Gathered, Question, Report, build_report, with_drill, with_failure

_POLL_SECONDS: Final = 0.5
Drill = Callable[[Report, Gathered], DrillFacts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What to look at, and how closely."""

    archives: Sequence[str]
    elsewhere: Sequence[str]
    backups: Sequence[str]
    backups_below: str | None
    depth: Depth | Literal["names"]
    backup_depth: BackupDepth
    reading: Reading
    on_this_machine: bool = True  # the restore would run here

    def gather(
        self, *, listing_only: bool = False, on_progress: Progress | None = None
    ) -> Gathered:
        return gather(
            self.archives,
            self.backups,
            self.backups_below,
            self.elsewhere,
            depth="names" if listing_only else self.depth,
            backup_depth="label" if listing_only else self.backup_depth,
            reading=self.reading,
            on_this_machine=self.on_this_machine,
            on_progress=on_progress or (lambda done, total: None),
        )


def check(
    question: Question,
    sources: Sources,
    *,
    wait_seconds: float,
    on_progress: Progress | None,
    try_seconds: float | None = None,
    drill: Drill | None = None,
) -> Report:
    """Give the verdict. Raises CannotCheck for a source that cannot be read.

    Just after pg_basebackup its last segment may not be archived yet: `wait_seconds` is how long to
    wait for it. `try_seconds` is how long the restore_command gets where it is tried. `drill` is
    asked once the verdict is known, and adds to it.
    """
    deadline = time.monotonic() + wait_seconds
    while time.monotonic() < deadline and _lacks_wal(sources.gather(listing_only=True)):
        time.sleep(_POLL_SECONDS)
    checks, gathered = load_catalogue(), sources.gather(on_progress=on_progress)
    report = build_report(question, gathered, checks)
    if try_seconds is not None:
        trial = try_restore_command(report, gathered, try_seconds)
        report = build_report(question, replace(gathered, trial=trial), checks)
    return with_drill(report, drill(report, gathered), checks) if drill else report


def _lacks_wal(gathered: Gathered) -> bool:
    """Whether some backup's own WAL is not all there, or nothing tells where it ended."""
    backups = gathered.backups.backups if gathered.backups else ()
    archive = gathered.archives[0] if gathered.archives else None
    for backup in backups:
        size = backup.segment_size_bytes or (archive.segment_size_bytes if archive else None)
        if size is None or missing_segments(backup, archive, size) != []:
            return True
    return False


def report_failure(question: Question, message: str) -> Report:
    """The report of a check that could not be made: unknown, and why."""
    nothing = Gathered(archives=(), backups=None, system_identifier=None, server_major=None)
    return with_failure(build_report(question, nothing, {}), message, load_catalogue())
