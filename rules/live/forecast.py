"""What the predictor says of a restore that runs: the stop that the bar goes to.

Pure: `rules.recovery.predictor.simulate` has answered, this puts its answer in the terms of a
watcher. A standby does not end where the WAL ends: it waits there.
"""

from __future__ import annotations

from typing import Final

from parsers.sentences import tr
from parsers.values import dataclass
from rules.live.outcomes import FAILED, PAUSED, PROMOTED, SHUT_DOWN
from rules.live.summary import Summary
from rules.model.outcome import Ending, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The predictor's answer about the restore that runs."""

    outcome: Outcome
    standby: bool

    @property
    def waits(self) -> bool:
        """A standby at the end of the WAL continues when more comes."""
        outcome = self.outcome
        at_end = outcome.stop is None or outcome.stop.kind == "end_of_wal"
        return self.standby and at_end and outcome.obstacle is not None

    @property
    def goal_lsn(self) -> int | None:
        """Where replay will come to; None when it never begins, or cannot be said."""
        outcome = self.outcome
        if outcome.outcome == "unknown":
            return None
        stop = outcome.stop
        if stop is None:
            return outcome.replayed_lsn
        if stop.position == "before" or stop.end_lsn is None:
            return stop.lsn
        return stop.end_lsn

    @property
    def goal(self) -> str:
        """What lies at `goal_lsn`."""
        if self.waits:
            return tr("the end of the archive")
        if self.outcome.outcome == "fails":
            return tr("where it will fail")
        stop = self.outcome.stop
        at_end = stop is not None and stop.kind == "end_of_wal"
        return tr("the end of WAL, predicted") if at_end else tr("the predicted stop")

    @property
    def depends_on_the_end(self) -> bool:
        """More WAL in the archive could change the answer."""
        return self.outcome.obstacle is not None or self.outcome.outcome == "unknown"

    def foretold(self, summary: Summary) -> bool:
        """It said that recovery would fail, and of what it did fail."""
        outcome = self.outcome
        same = outcome.fatal is None or outcome.fatal in (summary.fatal_message or "")
        return summary.outcome == FAILED and outcome.outcome == "fails" and same


_OUTCOMES: Final = {
    Ending.PROMOTED: PROMOTED,
    Ending.PAUSED: PAUSED,
    Ending.SHUT_DOWN: SHUT_DOWN,
}


def agrees(forecast: Forecast, summary: Summary) -> bool | None:
    """Hold a prediction against what really happened. None: there is nothing to compare yet."""
    outcome, stop = forecast.outcome, summary.stop
    if forecast.waits or outcome.outcome == "unknown":
        return None
    if summary.outcome == FAILED:
        return outcome.outcome == "fails"
    if stop.kind is None or summary.outcome not in _OUTCOMES.values():
        return None
    predicted = outcome.stop
    if outcome.outcome != "opens" or predicted is None:
        return False
    same = (predicted.kind, predicted.xid, predicted.name) == (stop.kind, stop.xid, stop.name)
    return same and stop.lsn in (None, predicted.lsn, outcome.redo_done_lsn)
