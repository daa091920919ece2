"""Drills as marks of the picture: where a restore really ended, and whether as predicted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from parsers.sentences import tr
from rules.chart.model import Mark, MarkKind
from rules.drill.comparison import DRILL_WORDS
from rules.drill.records import DrillRecord
from rules.model.timelines import TimelineTree


def mark_drills(records: Iterable[DrillRecord], tree: TimelineTree) -> Iterator[Mark]:
    """One for each that came to an instant; a drill of the latest timeline stands on the newest."""
    newest = max(tree.timelines, default=None)
    for record in records:
        timeline = newest if record.timeline is None else record.timeline
        if record.instant is None or timeline is None:
            continue
        yield Mark(
            kind=MarkKind.DRILL,
            timeline=timeline,
            at=record.instant,
            state=_state(record),
            what=tr(
                "drill of {at:%Y-%m-%d %H:%M} UTC to {target}: {outcome}",
                at=record.started_at,
                target=record.target,
                outcome=DRILL_WORDS[record.outcome],
            ),
        )


def _state(record: DrillRecord) -> str:
    """One that could not be made, or ran out of time, speaks neither for nor against a restore."""
    if not record.ran or record.timed_out is not None:
        return "unknown"
    if record.succeeded:
        return "agrees" if record.agrees else "unknown"
    return "disagrees"
