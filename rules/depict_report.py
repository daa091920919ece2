"""The picture of a verdict: what `rules.depict` takes, from a report."""

from __future__ import annotations

from collections.abc import Iterator

from rules.backups import BackupState
from rules.depict import make_picture
from rules.depict_drills import mark_drills
from rules.drills import remember
from rules.picture import Mark, MarkKind, Picture, Seen, SeenBackup
from rules.report import BackupReport, Report


def picture_of(report: Report) -> Picture | None:
    """Draw what a report says; None when nothing in it has an instant."""
    gaps = {gap: None for each in report.archives if each.sequence for gap in each.sequence.gaps}
    return make_picture(
        Seen(
            now=report.question.now,
            tree=report.tree,
            segment_size_bytes=report.segment_size_bytes,
            backups=[
                SeenBackup(facts=each.facts, state=_seen_state(report, each), windows=each.windows)
                for each in report.backups
            ],
            gaps=list(gaps),
            scan=report.scan,
            dated=report.dated,
            marks=list(_marks(report)),
        )
    )


def _seen_state(report: Report, backup: BackupReport) -> BackupState:
    """By the names of files alone nothing is drawn as restorable."""
    if backup.state is BackupState.RESTORABLE and report.question.depth != "records":
        return BackupState.UNKNOWN
    return backup.state


def _marks(report: Report) -> Iterator[Mark]:
    """Where the recovery asked about stops, and where a drill really did."""
    if report.drill is not None:
        record = remember(report.drill, report.question.now, 0.0)
        yield from mark_drills([record], report.tree)
    outcome, asked = report.target.prediction, report.target.target
    timeline, stop = report.target.timeline, outcome.stop if outcome else None
    at = stop.time if stop else None
    if at is None and outcome is not None and outcome.last_transaction:
        at = outcome.last_transaction.time
    if at is None or timeline is None or asked.type == "none":
        return
    words = {True: "can be reached", False: "cannot be reached", None: "is not proven"}
    what = f"the target, {asked.type} {asked.value or ''}: it {words[report.target.reachable]}"
    yield Mark(kind=MarkKind.TARGET, timeline=timeline, at=at, what=what)
