"""What the predictor says of a restore that runs: the stop that the bar goes to, and what to mind.

Pure: `rules.recovery.simulate` has answered, this puts its answer in the terms of a watcher. A
standby does not end where the WAL ends: it waits there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rules import server_messages as messages
from rules.outcome import Ending, Outcome
from rules.restore_foresight import Foreseen
from rules.restore_summary import FAILED, PAUSED, PROMOTED, SHUT_DOWN, Summary

_CHECK: Final = "pitr-check --archive DIR --backup DIR"
_NEXT: Final = {
    messages.STOP_BEFORE_CONSISTENCY: "restore an older backup, or choose a later target",
    messages.TARGET_NOT_REACHED: "choose an earlier target, or bring the missing WAL: " + _CHECK,
    messages.INCREMENTAL: "pg_combinebackup FULL INCREMENTAL -o DIR",
    messages.PARAMETERS_SHORT: "raise the setting in postgresql.auto.conf, then restart",
    messages.PREPARED_FULL: "raise max_prepared_transactions, then restart",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The predictor's answer about the restore that runs."""

    outcome: Outcome
    standby: bool

    @property
    def waits(self) -> bool:
        """A standby at the end of the WAL goes on when more comes."""
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
            return "the end of the archive"
        if self.outcome.outcome == "fails":
            return "where it will fail"
        stop = self.outcome.stop
        at_end = stop is not None and stop.kind == "end_of_wal"
        return "the end of WAL, predicted" if at_end else "the predicted stop"

    @property
    def depends_on_the_end(self) -> bool:
        """More WAL in the archive could change the answer."""
        return self.outcome.obstacle is not None or self.outcome.outcome == "unknown"


def foresee_from(forecast: Forecast) -> Iterator[Foreseen]:
    """What the prediction warns of."""
    outcome = forecast.outcome
    if forecast.waits or outcome.outcome == "unknown":
        return
    if outcome.outcome == "fails":
        paused = outcome.paused_lsn is not None
        fatal = f" (FATAL: {outcome.fatal})" if outcome.fatal else ""
        yield Foreseen(
            fails=True,
            text=f"the restore will {'pause, and then ' if paused else ''}fail: {outcome.reason}"
            f"{fatal}",
            next_command=outcome.remedy or _NEXT.get(outcome.fatal or "", _CHECK),
        )
    elif outcome.reachable is False:
        yield Foreseen(
            fails=False,
            text=f"the server will open, but not with the state asked for: {outcome.reason}",
            next_command=_CHECK,
        )
    elif outcome.needs:
        wanted = ", ".join(f"{name} = {value}" for name, value in outcome.needs.items())
        yield Foreseen(
            fails=False,
            text="reading ahead, the server may die of a damaged file that its target does not"
            " need",
            next_command=f"set {wanted} in postgresql.auto.conf, then restart",
        )


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
