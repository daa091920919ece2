"""Transactions that a time target leaves out although their own time would have had them in.

Commit times are those of the clock of the backend that wrote them. Recovery stops at the first one
that is too late, and never sees what follows with an earlier time: after a clock that was set back
that can be hours of commits.
"""

from __future__ import annotations

from collections.abc import Iterator

from parsers.wal.facts import Facts, Transaction
from rules.model.goal import Goal
from rules.model.outcome import LeftOut, Outcome
from rules.model.restore_inputs import RestoreInputs
from rules.recovery.replay import Piece, replay
from rules.recovery.start import Start, find_start


def find_left_out(restore: RestoreInputs, goal: Goal, outcome: Outcome) -> LeftOut | None:
    """Look for them after the predicted stop, up to the end of the WAL; None: there are none."""
    stop = outcome.stop
    if goal.time_us is None or stop is None or stop.lsn is None or stop.time_us is None:
        return None
    found = list(_earlier(restore, goal, stop.lsn, goal.time_us + goal.inclusive))
    if not found:
        return None
    return LeftOut(count=len(found), first=found[0], stop_time_us=stop.time_us)


def _earlier(
    restore: RestoreInputs, goal: Goal, stop_lsn: int, limit_us: int
) -> Iterator[Transaction]:
    for facts in _stretches_from(restore, goal, stop_lsn):
        later = facts.transactions.from_lsn(stop_lsn + 1)
        if later and min(later.times_us) < limit_us:
            yield from (each for each in later if each.time_us < limit_us)


def _stretches_from(restore: RestoreInputs, goal: Goal, lsn: int) -> Iterator[Facts]:
    """The stretches of WAL from the record at `lsn` on."""
    start = find_start(restore, goal)
    assert isinstance(start, Start), "recovery stops only where it has begun"
    for step in replay(restore.wal, start.path, lsn, restore.server.major):
        if isinstance(step, Piece):
            yield from step.stretches()
