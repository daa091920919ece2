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
from rules.capacity.base_backups import BackupTrail, BaseBackupsFacts
from rules.capacity.exposure import (
    RATE_SPAN,
    ExposureFacts,
    KeptTrail,
    Trail,
    condense,
    exposure,
    follow,
    written_per_second,
)
from rules.capacity.forecast import ReplayRate, WalFullFacts, forecast_wal_full
from rules.capacity.held_wal import HeldWalFacts, SlotTrail, fetched_wal, held_wal
from rules.case.case import Case
from rules.case.observations import MeasuredRates
from rules.drill.records import DrillsFacts
from rules.fleet.cuts import WindowCuts, follow_window
from rules.live.facts import LiveRestore
from rules.live.logged import LoggedRecovery
from rules.model.evidence import CollectorsFacts, WindowsFacts
from rules.model.facts import (
    ArchiveFacts,
    ArchiverFacts,
    ArchiveStatusFacts,
    ControlFacts,
    PositionFacts,
    RunningBackupsFacts,
    SettingsFacts,
    SlotsFacts,
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
        self._slots = SlotTrail()
        self._backups = BackupTrail()
        self._fetched: deque[tuple[datetime, int]] = deque()  # sizes of pg_wal during a recovery
        self._restore = RestoreWatch()
        self._rates: deque[ReplayRate] = deque(maxlen=_RATES_MAX)
        self._measured = MeasuredRates(rates=())

    def observe(self, case: Case, readings: Mapping[str, Reading], now: datetime) -> Case:
        """The case with what only time tells, each as an observation; without what it does not."""
        self._follow(case)
        exposed = exposure(self._trail, case) if case.get(PositionFacts) is not None else None
        self._remember(readings, exposed)
        held = self._held(case, exposed)
        running = case.get(RunningBackupsFacts)
        if running is not None:
            self._backups = self._backups.follow(running)
        taken = self._backups.progress() if running is not None else None
        volume, wal, full = case.get(WalVolumeFacts), case.get(WalDirectoryFacts), None
        if volume and wal and held:
            full = forecast_wal_full(volume, held, wal.size_bytes, now)
            if full and full.full_at is None and not _knows_archiver(case, exposed):
                full = None
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
        told = (
            exposed,
            held,
            full,
            taken,
            restore,
            self._measured,
            self.cuts,
            _collectors(readings),
        )
        return case.without(
            ExposureFacts, HeldWalFacts, WalFullFacts, BaseBackupsFacts, LiveRestore
        ).having(*(each for each in told if each is not None))

    @property
    def kept_trail(self) -> KeptTrail | None:
        """What a restart should find again."""
        if self._system_identifier is None or not self._trail:
            return self._kept
        return KeptTrail(system_identifier=self._system_identifier, trail=condense(self._trail))

    def _held(self, case: Case, exposed: ExposureFacts | None) -> HeldWalFacts | None:
        """What keeps WAL; None where it is not known how fast it is written, or who needs it."""
        slots, settings = case.get(SlotsFacts), case.get(SettingsFacts)
        positions, wal = case.get(PositionFacts), case.get(WalDirectoryFacts)
        if slots is None or settings is None or positions is None or wal is None:
            return None
        if positions.in_recovery:
            fetched = fetched_wal(self._fetched, settings)
            return HeldWalFacts(holders=(fetched,) if fetched else ())
        self._slots = self._slots.follow(slots)
        written = written_per_second(self._trail) if self._trail else None
        if positions.insert_lsn is None or written is None:
            return None
        return held_wal(
            positions.insert_lsn,
            written,
            self._slots,
            settings,
            exposed,
            case.get(ArchiveStatusFacts),
            wal.size_bytes,
        )

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
        writes: set[type] = {HeldWalFacts} if len(self._trail) > 1 else set()
        if not any(step.archived_to_lsn is not None for step in self._trail):
            return writes
        volume = case.get(WalVolumeFacts)
        seen = volume is None or volume.free_bytes is not None
        return writes | ({ExposureFacts, WalFullFacts} if seen else {ExposureFacts})

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
                    self._fetched.append((at, wal.size_bytes))
                    while at - self._fetched[0][0] > RATE_SPAN or at < self._fetched[0][0]:
                        self._fetched.popleft()
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


def _knows_archiver(case: Case, exposed: ExposureFacts | None) -> bool:
    """Whether it is known what the archiver keeps in pg_wal; without one, nothing."""
    settings = case.get(SettingsFacts)
    off = settings is not None and settings.value("archive_mode") == "off"
    positions = case.get(PositionFacts)
    if off or (positions is not None and positions.in_recovery):
        return True
    return exposed is not None and exposed.archived_per_second is not None


def _by_age(rates: Iterable[ReplayRate]) -> list[ReplayRate]:
    """The oldest first; before them those whose log does not tell."""
    long_ago = datetime.min.replace(tzinfo=UTC)
    return sorted(rates, key=lambda rate: rate.at or long_ago)


def _collectors(readings: Mapping[str, Reading]) -> CollectorsFacts:
    return CollectorsFacts(failing=failing_sources(readings))
