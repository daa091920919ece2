"""The picture of a verdict: what `rules.depict` takes, from a report."""

from __future__ import annotations

from collections.abc import Iterator

from rules.depict import make_picture
from rules.picture import Mark, MarkKind, Picture, Seen, SeenBackup
from rules.report import Report


def picture_of(report: Report) -> Picture | None:
    """Draw what a report says; None when nothing in it has an instant."""
    gaps = {gap: None for each in report.archives if each.sequence for gap in each.sequence.gaps}
    return make_picture(
        Seen(
            now=report.question.now,
            tree=report.tree,
            segment_size_bytes=report.segment_size_bytes,
            backups=[
                SeenBackup(facts=each.facts, state=each.state, windows=each.windows)
                for each in report.backups
            ],
            gaps=list(gaps),
            scan=report.scan,
            dated=report.dated,
            marks=list(_marks(report)),
        )
    )


def _marks(report: Report) -> Iterator[Mark]:
    """Where the recovery asked about stops, and where a drill really did."""
    outcome = report.target.prediction
    stop = outcome.stop if outcome else None
    at = stop.time if stop else None
    if at is None and outcome is not None and outcome.last_transaction:
        at = outcome.last_transaction.time
    timeline = report.target.timeline
    if at is None or timeline is None:
        return
    words = {True: "can be reached", False: "cannot be reached", None: "is not proven"}
    asked = report.target.target
    if asked.type != "none":
        what = f"the target, {asked.type} {asked.value or ''}: it {words[report.target.reachable]}"
        yield Mark(kind=MarkKind.TARGET, timeline=timeline, at=at, what=what)
    drill = report.drill
    if drill is not None and drill.summary is not None:
        state = {True: "agrees", False: "disagrees", None: "unknown"}[drill.agrees]
        ended = drill.summary.last_transaction_at or at
        what = f"a drill really restored to here ({drill.outcome})"
        yield Mark(kind=MarkKind.DRILL, timeline=timeline, at=ended, what=what, state=state)
