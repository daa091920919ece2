"""One run of `pitr-check`: wait if told to, read, judge; and the answer when that cannot be."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final

from agent.archive.progress import OnProgress
from agent.inputs.gather import EmptyArchive
from agent.inputs.sources import Sources
from rules.backup.completeness import BackupState, missing_segments
from rules.case.case import Case
from rules.case.context import Context
from rules.case.derived.listing import Identity
from rules.drill.comparison import DrillFacts
from rules.drill.records import DrillsFacts, remember
from rules.model.evidence import Evidence, FailedRunFacts, SequenceFacts
from rules.model.facts import ArchiveFacts, BackupsFacts
from rules.model.findings import verdict_of
from rules.model.restore_inputs import newest_by_timeline
from rules.verdict.check import judge, load_catalogue
from rules.verdict.report import BackupReport, Report, give_verdict, report_of

_POLL_SECONDS: Final = 0.5
Drill = Callable[[Report, Case], DrillFacts]


def check(
    context: Context,
    sources: Sources,
    now: datetime,
    *,
    wait_seconds: float,
    on_progress: OnProgress | None,
    try_seconds: float | None = None,
    drill: Drill | None = None,
) -> Report:
    """Give the verdict. Raises CannotCheck for a source that cannot be read.

    Just after pg_basebackup its last segment may not be archived yet: `wait_seconds` is how long to
    wait for it. `try_seconds` is how long the restore_command gets where it is tried. `drill` is
    asked once the verdict is known, and adds to it.
    """
    deadline = time.monotonic() + wait_seconds
    listing, by_names = replace(sources, backup_depth="label"), replace(context, depth="names")
    while time.monotonic() < deadline and _must_wait(listing, by_names):
        time.sleep(_POLL_SECONDS)
    checks, case = load_catalogue(watching=False), sources.gather(context, on_progress=on_progress)
    report = give_verdict(case, checks, now)
    if try_seconds is not None:
        from agent.check.try_restore import try_restore_command

        trial = try_restore_command(report, case, try_seconds)
        case = case.having(trial) if trial else case
        report = give_verdict(case, checks, now)
    if drill is None:
        return report
    drilled = drill(report, case)
    made = remember(drilled, now, sum(drilled.phases.values()))
    return give_verdict(case.having(DrillsFacts(records=(made,))), checks, now, drilled)


def _must_wait(sources: Sources, context: Context) -> bool:
    """Whether WAL has still to come: the first of it, too, if an archive is empty."""
    try:
        return _lacks_wal(sources.gather(context))
    except EmptyArchive:
        return True


def _lacks_wal(case: Case) -> bool:
    """Whether some backup's own WAL is not all there, or nothing tells where it ended."""
    found, archive, identity = case.get(BackupsFacts), case.get(ArchiveFacts), case.get(Identity)
    if archive is None or identity is None:
        return False  # nothing to wait for
    for backup in found.backups if found else ():
        size = backup.segment_size_bytes or identity.segment_size_bytes
        missing = missing_segments(backup, archive, size) if size is not None else None
        if missing is None or missing.count:
            return True
    return _ends_short(case)


def _ends_short(case: Case) -> bool:
    """Whether a backup ended after the archive's newest segment, and another needs that WAL.

    One that brings its own WAL along lacks nothing; the windows of those before it run on there.
    """
    archive, sequence = case.get(ArchiveFacts), case.get(SequenceFacts)
    if archive is None or sequence is None:
        return False
    newest = newest_by_timeline(archive.segments, sequence.segment_size_bytes)
    return any(
        not gap.harmless and gap.last_name > newest.get(gap.timeline, "") for gap in sequence.gaps
    )


def report_failure(
    context: Context, message: str, now: datetime, case: Case | None = None
) -> Report:
    """The report of a check that could not be made: unknown, and why.

    What is known all the same is told from its `case`: nothing bad is proven by it.
    """
    failed: dict[type, object] = {FailedRunFacts: FailedRunFacts(message=message)}
    evidence = Evidence(now=now, objectives=context.objectives, facts=failed)
    findings = judge(evidence, load_catalogue(watching=False)).findings
    report = report_of(case or Case(context=context), findings, verdict_of(findings), now)
    target = report.target
    if not target.reachable:
        target = replace(
            target, outcome="unknown", reachable=None, cause=None, prediction=None, reason=message
        )
    return replace(
        report,
        restorable=report.restorable or None,
        target=target,
        backups=tuple(
            each if each.state is BackupState.RESTORABLE else _doubted(each)
            for each in report.backups
        ),
    )


def _doubted(backup: BackupReport) -> BackupReport:
    return replace(backup, state=BackupState.UNKNOWN)
