"""Drills as they are remembered: what each showed, in values that outlive the process that ran it.

`DrillFacts` (rules.drill.comparison) is a drill beside its prediction, in the hands of whoever ran
it; `remember` keeps of it what checks, metrics and pictures need. A program that makes one drill
gives a history of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta
from typing import Final, get_args

from parsers.sentences import tr
from parsers.values import dataclass
from rules.capacity.forecast import CopyTime, ReplayRate
from rules.drill.comparison import DrillFacts, DrillOutcome, Inspection, Probe

DRILL_OUTCOMES: Final[tuple[DrillOutcome, ...]] = get_args(DrillOutcome)
# By a log with milliseconds; what is shorter is the server's start more than its pace. And a drill
# that stops in its first segment has waited for the archive more than it has replayed.
_MEASURABLE_SECONDS: Final = 1.0
_MEASURABLE_BYTES: Final = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillRecord:
    """One drill that is over."""

    started_at: datetime
    seconds: float  # from the first look at the archive until the scratch area was gone
    outcome: DrillOutcome
    agrees: bool | None  # with the prediction; None: it was not run, or nothing was predicted
    backup: str | None  # url; None: there was none to choose
    target: str  # in words, as "time 2026-11-22 17:00:13+00:00, timeline 2"
    timeline: int | None = None  # None: the latest
    instant: datetime | None = None  # that it went to: a commit's time; None: not known
    lsn: int | None = None  # where that commit's record starts; None: not known
    reason: str | None = None  # why it failed, or could not be made
    fatal: str | None = None  # the server's word when it failed
    server: str | None = None  # the version that restored
    disagreements: tuple[str, ...] = ()
    phases: Mapping[str, float] = field(default_factory=dict)  # seconds
    copied_bytes: int | None = None
    replayed_bytes: int | None = None
    inspections: tuple[Inspection, ...] = ()
    probes: tuple[Probe, ...] = ()
    notes: tuple[str, ...] = ()  # what was left out to make it safe
    timeout_seconds: float | None = None  # what it was given; None: it was not begun
    timed_out: str | None = None  # what it was at when its time was over

    @property
    def ran(self) -> bool:
        return self.outcome != "not_run"

    @property
    def succeeded(self) -> bool:
        """It opened as predicted, came to its end, and nothing that was looked at in it is bad."""
        return (
            self.outcome not in ("failed", "not_run")
            and self.agrees is not False
            and self.timed_out is None
            and all(each.result != "failed" for each in self.inspections)
            and all(probe.holds for probe in self.probes)
        )

    @property
    def ended_at(self) -> datetime:
        return self.started_at + timedelta(seconds=self.seconds)

    @property
    def replay_bytes_per_second(self) -> float | None:
        seconds = self.phases.get("replay")
        return self.replayed_bytes / seconds if seconds and self.replayed_bytes else None

    @property
    def replay_rate(self) -> ReplayRate | None:
        """None where it replayed too little for its pace to tell anything."""
        replayed, seconds = self.replayed_bytes or 0, self.phases.get("replay", 0.0)
        too_little = replayed < _MEASURABLE_BYTES or seconds < _MEASURABLE_SECONDS
        if self.outcome == "failed" or too_little:
            return None
        return ReplayRate(
            replayed_bytes=replayed, seconds=seconds, source=tr("drill"), at=self.ended_at
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillsFacts:
    """The drills of one cluster."""

    records: tuple[DrillRecord, ...] = ()  # oldest first; a bounded history
    since: datetime | None = None  # when drills were first planned; None: none are planned
    running_since: datetime | None = None  # None: none runs just now
    counts: Mapping[str, int] = field(default_factory=dict)  # outcome -> how many since then

    @property
    def last(self) -> DrillRecord | None:
        return self.records[-1] if self.records else None

    @property
    def last_run(self) -> DrillRecord | None:
        """The last that showed something: one that could not be made proves nothing."""
        return next((record for record in reversed(self.records) if record.ran), None)

    @property
    def last_success(self) -> DrillRecord | None:
        return next((record for record in reversed(self.records) if record.succeeded), None)

    @property
    def last_copy(self) -> CopyTime | None:
        """Of the last drill that copied its backup; None: none did."""
        for record in reversed(self.records):
            seconds = record.phases.get("copy")
            if record.copied_bytes and seconds:
                return CopyTime(
                    copied_bytes=record.copied_bytes, seconds=seconds, at=record.started_at
                )
        return None

    @property
    def replay_rates(self) -> tuple[ReplayRate, ...]:
        rates = (record.replay_rate for record in self.records)
        return tuple(rate for rate in rates if rate is not None)


def remember(drill: DrillFacts, started_at: datetime, seconds: float) -> DrillRecord:
    """What is kept of a drill."""
    summary = drill.summary
    instant, lsn = drill.instant, drill.instant_lsn
    if instant is None and summary is not None:
        instant = summary.last_transaction_at
    return DrillRecord(
        started_at=started_at,
        seconds=seconds,
        outcome=drill.outcome,
        agrees=drill.agrees,
        backup=drill.backup,
        target=drill.target,
        timeline=drill.timeline,
        instant=instant,
        lsn=lsn,
        reason=drill.not_run or drill.timed_out or drill.cause,
        fatal=summary.fatal_message if summary else None,
        server=drill.server,
        disagreements=drill.disagreements,
        phases=dict(drill.phases),
        copied_bytes=drill.copied_bytes,
        replayed_bytes=drill.replayed_bytes,
        inspections=drill.inspections,
        probes=drill.probes,
        notes=drill.notes,
        timeout_seconds=drill.timeout_seconds,
        timed_out=drill.timed_out,
    )
