"""What one cluster's readings tell only together, or only over time: facts worked out of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from agent.live.progress import RestoreProgress
from agent.monitor.reading import Reading
from agent.monitor.restore_watch import RestoreWatch
from agent.monitor.sources import failing_sources
from rules.capacity.archiving_history import (
    EXPOSURE_BYTES,
    EXPOSURE_SECONDS,
    READY_FILES,
    WAL_BYTES,
    ArchivingHistory,
)
from rules.capacity.exposure import ExposureFacts, KeptTrail, Trail, condense, exposure, follow
from rules.capacity.forecast import ReplayRate, WalFullFacts, forecast_wal_full
from rules.case.case import Case
from rules.case.observations import MeasuredRates
from rules.drill.records import DrillsFacts
from rules.fleet.cuts import WindowCuts, follow_window
from rules.live.facts import LiveRestore, LoggedRecovery
from rules.model.evidence import CollectorsFacts, WindowsFacts
from rules.model.facts import (
    ArchiveFacts,
    ArchiverFacts,
    ArchiveStatusFacts,
    ControlFacts,
    PositionFacts,
    WalDirectoryFacts,
    WalVolumeFacts,
)

_RATES_MAX: Final = 20  # measured restores that count


class OverTime:
    """Remembers between readings what the next will be held against."""

    def __init__(
        self,
        kept: KeptTrail | None = None,
        cuts: WindowCuts | None = None,
        *,
        poll_seconds: float,
    ) -> None:
        self.cuts = cuts or WindowCuts()
        self.archiving = ArchivingHistory(poll_seconds)
        self._remembered: dict[str, datetime] = {}  # of each collector: its last reading
        self._trail: Trail = ()
        self._kept = kept  # until it is known whose it is
        self._system_identifier: int | None = None
        self._restore = RestoreWatch()
        self._rates: deque[ReplayRate] = deque(maxlen=_RATES_MAX)
        self._measured = MeasuredRates(rates=())

    def observe(self, case: Case, readings: Mapping[str, Reading], now: datetime) -> Case:
        """The case with what only time tells, each as an observation; without what it does not."""
        self._follow(case)
        exposed = exposure(self._trail, case) if case.get(PositionFacts) is not None else None
        self._remember(readings, exposed)
        volume, status = case.get(WalVolumeFacts), case.get(ArchiveStatusFacts)
        full = None
        if volume and status and exposed:
            full = forecast_wal_full(volume, status, exposed, now)
        logged, restore = case.get(LoggedRecovery), None
        if logged is not None:
            positions, archive = case.get(PositionFacts), case.get(ArchiveFacts)
            restore = self._restore.facts(logged, positions, archive)
            if logged.replay_rate is not None and logged.replay_rate not in self._rates:
                self._rates.append(logged.replay_rate)
        drills = case.get(DrillsFacts) or DrillsFacts()
        rates = tuple(_by_age((*drills.replay_rates, *self._rates))[-_RATES_MAX:])
        if rates != self._measured.rates:
            self._measured = MeasuredRates(rates=rates)
        if (windows := case.get(WindowsFacts)) is not None:
            self.cuts = follow_window(self.cuts, windows, now)
        told = (exposed, full, restore, self._measured, self.cuts, _collectors(readings))
        return case.without(ExposureFacts, WalFullFacts, LiveRestore).having(
            *(each for each in told if each is not None)
        )

    @property
    def kept_trail(self) -> KeptTrail | None:
        """What a restart should find again."""
        if self._system_identifier is None or not self._trail:
            return self._kept
        return KeptTrail(system_identifier=self._system_identifier, trail=condense(self._trail))

    def _follow(self, case: Case) -> None:
        """Go on with the trail that was kept, if it is this server that left it."""
        control = case.get(ControlFacts)
        if control is not None:
            known = self._system_identifier
            if known not in (None, control.system_identifier):
                self._trail = ()
            self._system_identifier = control.system_identifier
            if self._kept and self._kept.system_identifier == control.system_identifier:
                self._trail = self._kept.trail
            self._kept = None
        if self._kept is None:
            self._trail = follow(self._trail, case)

    def expected(self, case: Case) -> set[type]:
        """What should be there, as far as the sources that it rests on ever told."""
        if not any(step.archived_to_lsn is not None for step in self._trail):
            return set()
        volume = case.get(WalVolumeFacts)
        seen = volume is None or volume.free_bytes is not None
        return {ExposureFacts, WalFullFacts} if seen else {ExposureFacts}

    def _remember(self, readings: Mapping[str, Reading], exposed: ExposureFacts | None) -> None:
        """Add what was read since the last time to the history of archiving."""
        for name in ("archiver", "archive_status", "wal_directory", "positions"):
            reading = readings.get(name)
            if reading is None or self._remembered.get(name) == reading.started_at:
                continue
            self._remembered[name] = at = reading.started_at
            match reading.facts:
                case ArchiverFacts() as archiver:
                    self.archiving.see_archived(
                        at, archiver.archived_count, archiver.stats_reset_at
                    )
                case ArchiveStatusFacts() as status:
                    self.archiving.see(READY_FILES, at, len(status.ready))
                case WalDirectoryFacts() as wal:
                    self.archiving.see(WAL_BYTES, at, wal.size_bytes)
                case PositionFacts() if exposed is not None:
                    self.archiving.see(EXPOSURE_BYTES, at, exposed.bytes)
                    if exposed.seconds is not None:
                        self.archiving.see(EXPOSURE_SECONDS, at, exposed.seconds)

    def note(self, observed: object) -> None:
        """See how replay moves: every reading counts, not only the one that is judged."""
        if isinstance(observed, PositionFacts):
            self._restore.note(observed)

    def progress(self, case: Case) -> RestoreProgress:
        """How far the running recovery has come."""
        return self._restore.progress(case.get(LiveRestore))


def _by_age(rates: Iterable[ReplayRate]) -> list[ReplayRate]:
    """The oldest first; before them those whose log does not tell."""
    long_ago = datetime.min.replace(tzinfo=UTC)
    return sorted(rates, key=lambda rate: rate.at or long_ago)


def _collectors(readings: Mapping[str, Reading]) -> CollectorsFacts:
    return CollectorsFacts(
        failing=failing_sources(readings),
        working=frozenset(name for name, reading in readings.items() if reading.succeeded),
    )
