"""A restore that really ran beside its prediction: what a drill says, and where the two disagree.

The comparison is of what PostgreSQL logs: where redo began, where it became consistent, the record
at which it stopped, the last transaction, the new timeline, or the FATAL.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

from parsers.lsn import format_lsn
from parsers.sentences import tr
from parsers.values import dataclass
from rules.live.outcomes import FAILED, PAUSED, PROMOTED, SHUT_DOWN
from rules.model.outcome import Ending, Outcome
from rules.recovery.server_messages import unquoted

if TYPE_CHECKING:
    from rules.live.summary import Summary

DrillOutcome = Literal["promoted", "paused", "shut_down", "failed", "not_run"]
DRILL_WORDS: Final[Mapping[DrillOutcome, str]] = {  # for a person
    "promoted": tr("promoted"),
    "paused": tr("paused"),
    "shut_down": tr("shut down"),
    "failed": tr("failed"),
    "not_run": tr("not run"),
}
InspectionResult = Literal["passed", "failed", "not_done"]
_OUTCOMES: Mapping[str, DrillOutcome] = {
    PROMOTED: "promoted", PAUSED: "paused", SHUT_DOWN: "shut_down",
}  # fmt: skip
_ENDINGS = {PROMOTED: Ending.PROMOTED, PAUSED: Ending.PAUSED, SHUT_DOWN: Ending.SHUT_DOWN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """One look inside the restored cluster."""

    name: str  # checksums, amcheck, dump
    result: InspectionResult
    detail: str  # what was looked at, what was found, or why it was not done


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A query of the user's own, and what it should give."""

    database: str
    sql: str
    expected: str  # columns apart by |, rows by line ends, as psql -At prints them
    got: str | None = None  # None: it failed
    error: str | None = None
    asked: bool = True  # False: the drill did not come as far, for the reason in `error`

    @property
    def holds(self) -> bool:
        return self.got == self.expected


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillFacts:
    """One drill."""

    backup: str | None  # url; None: none was chosen
    target: str  # in words
    timeline: int | None = None  # None: the latest
    instant: datetime | None = None  # of the transaction that it goes to; None: not known
    instant_lsn: int | None = None  # where that one's record starts
    not_run: str | None = None  # why it could not be made; what follows is then empty
    timeout_seconds: float | None = None  # what it was given; None: it was not begun
    timed_out: str | None = None  # what it was at when its time was over
    server: str | None = None  # the version that restored
    confinement: str | None = None  # what the server was kept in, in words; None: none was started
    predicted: Outcome | None = None
    summary: Summary | None = None  # what PostgreSQL's log says it did
    cause: str | None = None  # why it failed
    disagreements: tuple[str, ...] = ()
    phases: Mapping[str, float] = field(default_factory=dict)  # seconds
    copied_bytes: int | None = None
    replayed_bytes: int | None = None
    replay_seconds: float | None = None
    segments_fetched: int | None = None
    inspections: tuple[Inspection, ...] = ()
    probes: tuple[Probe, ...] = ()
    notes: tuple[str, ...] = ()  # what was left out to make it safe

    @property
    def outcome(self) -> DrillOutcome:
        if self.summary is None:
            return "not_run"
        return _OUTCOMES.get(self.summary.outcome or "", "failed")

    @property
    def agrees(self) -> bool | None:
        """None: it was not run, or nothing definite was predicted."""
        if self.summary is None or self.predicted is None or self.predicted.outcome == "unknown":
            return None
        return not self.disagreements

    @property
    def replay_bytes_per_second(self) -> float | None:
        if not self.replay_seconds or self.replayed_bytes is None:
            return None
        return self.replayed_bytes / self.replay_seconds


def disagreements(
    outcome: Outcome, summary: Summary, refused: Mapping[str, str]
) -> tuple[str, ...]:
    """Every respect in which a restore did not match the prediction.

    `refused` are the files that fetch-wal did not hand over, with the reason. A server that reads
    the archive by itself would have read on to the damage; so a refusal agrees with a prediction
    that this file ends the restore, and contradicts any other.
    """
    if outcome.outcome == "unknown":
        return ()
    if refused and summary.outcome == FAILED:
        return tuple(_about_refusals(outcome, refused))
    return tuple(
        tr(
            "{what}: predicted {predicted}, was {actual}",
            what=what,
            predicted=_text(predicted),
            actual=_text(actual),
        )
        for what, predicted, actual in _pairs(outcome, summary)
        if predicted != actual
    )


def _about_refusals(outcome: Outcome, refused: Mapping[str, str]) -> Iterator[str]:
    obstacle = outcome.obstacle
    if outcome.reachable is not True and obstacle is not None and obstacle.segment in refused:
        return
    for name, reason in refused.items():
        yield tr(
            "{name}: predicted as usable, fetch-wal refused it: {reason}", name=name, reason=reason
        )


_Pair = tuple[str, object, object]


def _pairs(outcome: Outcome, summary: Summary) -> Iterator[_Pair]:
    """(what, predicted, actual)."""
    opened = summary.outcome in _ENDINGS
    yield tr("outcome"), outcome.outcome, "opens" if opened else "fails"
    yield tr("ending"), outcome.ending, _ENDINGS.get(summary.outcome or "")
    if outcome.fatal is not None or outcome.outcome == "opens":
        yield outcome.severity, outcome.fatal, unquoted(outcome.fatal, summary.fatal_message)
    yield tr("redo start"), _Lsn(outcome.redo_start_lsn), _Lsn(summary.redo_start_lsn)
    yield tr("consistent"), _Lsn(outcome.consistent_lsn), _Lsn(summary.consistent_lsn)
    yield from _stop_pairs(outcome, summary)
    yield tr("redo done"), _Lsn(outcome.redo_done_lsn), _Lsn(summary.redo_done_lsn)
    if outcome.outcome != "opens" or outcome.ending is Ending.PROMOTED:
        last = outcome.last_transaction
        told = last.time if last and outcome.redo_done_lsn is not None else None
        yield tr("last transaction"), told, summary.last_transaction_at
    yield tr("new timeline"), outcome.new_timeline, summary.new_timeline


def _stop_pairs(outcome: Outcome, summary: Summary) -> Iterator[_Pair]:
    """The stop at a target, as far as the server says it."""
    stop, did = outcome.stop, summary.stop
    if stop is None or stop.kind == "end_of_wal":
        if did.kind not in (None, "end_of_wal"):
            yield tr("stop"), None, did.kind
        return
    yield tr("stop"), f"{stop.position} {stop.kind}", f"{did.position} {did.kind}"
    if stop.kind in ("commit", "abort"):
        yield tr("stop's transaction"), stop.xid, did.xid
    if stop.kind in ("commit", "abort", "restore_point"):
        yield tr("stop's time"), stop.time, did.time
    if stop.kind == "restore_point":
        yield tr("stop's name"), stop.name, did.name
    if stop.kind == "lsn":
        yield tr("stop's LSN"), _Lsn(stop.lsn), _Lsn(did.lsn)


@dataclass(frozen=True, slots=True)
class _Lsn:
    value: int | None

    def __str__(self) -> str:
        return "none" if self.value is None else format_lsn(self.value)


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return tr("none") if value is None else str(value)
