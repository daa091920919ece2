"""What a backup reaches on each timeline, and which backup serves a target best.

A window is the envelope of all targets: from where the backup becomes consistent to the last record
before the first obstacle, as `rules.recovery.predictor` replays it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from parsers.values import dataclass
from parsers.wal.facts import instant
from rules.model.goal import Goal
from rules.model.outcome import Obstacle, Outcome
from rules.model.restore_inputs import RestoreInputs
from rules.recovery.predictor import simulate
from rules.recovery.reachable import backup_end_us
from rules.recovery.start import Start, base_timeline, find_start


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorableWindow:
    """One backup on one timeline, read record by record."""

    timeline: int
    from_lsn: int  # the backup is consistent from here on
    from_time_us: int  # a time target before it would not give its own state
    to_lsn: int  # end of the last record before the obstacle
    to_time_us: int | None  # of the last commit or abort in it; None: there is none
    commits: int
    aborts: int
    obstacle: Obstacle | None  # None: what ends it is no obstacle but a record that kills recovery
    segments: tuple[str, ...]  # replayed, in their order

    @property
    def from_time(self) -> datetime:
        return instant(self.from_time_us)

    @property
    def to_time(self) -> datetime | None:
        return None if self.to_time_us is None else instant(self.to_time_us)


def find_window(restore: RestoreInputs, timeline: int) -> RestorableWindow | None:
    """The window on a timeline; None when the backup does not become consistent on it."""
    goal = Goal(timeline="current" if timeline == base_timeline(restore) else timeline)
    outcome = simulate(restore, goal)
    if outcome.consistent_lsn is None or outcome.replayed_lsn is None:
        return None
    start = find_start(restore, goal)
    assert isinstance(start, Start), "a backup that became consistent was started"
    last = outcome.last_transaction
    return RestorableWindow(
        timeline=timeline,
        from_lsn=outcome.consistent_lsn,
        from_time_us=max(backup_end_us(restore, start), outcome.consistent_time_us or 0),
        to_lsn=outcome.replayed_lsn,
        to_time_us=last.time_us if last and last.lsn >= outcome.consistent_lsn else None,
        commits=outcome.commits,
        aborts=outcome.aborts,
        obstacle=outcome.obstacle,
        segments=outcome.segments_needed,
    )


def best_restore(
    restores: Iterable[RestoreInputs], goal: Goal
) -> tuple[RestoreInputs, Outcome] | None:
    """The backup from which to go for a target, and how that goes; None without backups.

    The newest that reaches it has the least WAL to replay, and the others are not looked at. When
    none does, one that opens goes before one that fails, and what is not known before what is.
    """
    newest = sorted(restores, key=lambda each: each.backup.label.start_lsn, reverse=True)
    answers: list[tuple[RestoreInputs, Outcome]] = []
    for restore in newest:
        outcome = simulate(restore, goal)
        if outcome.reachable:
            return restore, outcome
        answers.append((restore, outcome))
    return min(answers, key=_rank, default=None)


def _rank(answer: tuple[RestoreInputs, Outcome]) -> tuple[bool, int]:
    outcome = answer[1]
    return outcome.reachable is not None, ("opens", "unknown", "fails").index(outcome.outcome)
