"""What one cluster's readings tell only together, or only over time: facts worked out of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from agent.reading import Reading
from agent.restore_watch import RestoreWatch
from agent.sources import failing_sources
from agent.watch.progress import Progress
from rules.archiving_history import (
    EXPOSURE_BYTES,
    EXPOSURE_SECONDS,
    READY_FILES,
    WAL_BYTES,
    ArchivingHistory,
)
from rules.drills import DrillsFacts
from rules.evidence import CollectorsFacts, WindowsFacts
from rules.exposure import ExposureFacts, KeptTrail, Trail, condense, exposure, follow
from rules.facts import (
    ArchiveFacts,
    ArchiverFacts,
    ArchiveStatusFacts,
    BackupsFacts,
    ControlFacts,
    PositionFacts,
    WalDirectoryFacts,
    WalVolumeFacts,
)
from rules.forecast import (
    ReplayRate,
    RestoreEstimateFacts,
    WalFullFacts,
    estimate_restore,
    forecast_wal_full,
)
from rules.restore_facts import LoggedRecovery, RestoreFacts

_RATES_MAX: Final = 20  # measured restores that count
_POLL_SECONDS: Final = 15.0  # of a cluster whose configuration names none


class OverTime:
    """Remembers between readings what the next will be held against."""

    def __init__(self, kept: KeptTrail | None = None, *, poll_seconds: float | None = None) -> None:
        self.archiving = ArchivingHistory(poll_seconds or _POLL_SECONDS)
        self._remembered: dict[str, datetime] = {}  # of each collector: its last reading
        self._trail: Trail = ()
        self._kept = kept  # until it is known whose it is
        self._system_identifier: int | None = None
        self._restore = RestoreWatch()
        self._rates: deque[ReplayRate] = deque(maxlen=_RATES_MAX)

    def work_out(
        self, facts: Mapping[type, Any], readings: Mapping[str, Reading], now: datetime
    ) -> dict[type, Any]:
        """Facts by their type; None for what cannot be said now."""
        self._follow(facts)
        exposed = exposure(self._trail) if PositionFacts in facts else None
        self._remember(readings, exposed)
        volume, status = facts.get(WalVolumeFacts), facts.get(ArchiveStatusFacts)
        full = None
        if volume and status and exposed:
            full = forecast_wal_full(volume, status, exposed, now)
        logged = facts.get(LoggedRecovery)
        restore = None
        if logged is not None:
            restore = self._restore.facts(logged, facts.get(PositionFacts), facts.get(ArchiveFacts))
        if logged is not None and logged.replay_rate not in (None, *self._rates):
            self._rates.append(logged.replay_rate)
        windows, backups = facts.get(WindowsFacts), facts.get(BackupsFacts)
        drills: DrillsFacts = facts.get(DrillsFacts) or DrillsFacts()
        rates = _by_age((*drills.replay_rates, *self._rates))[-_RATES_MAX:]
        estimate = None
        if windows and backups:
            estimate = estimate_restore(windows, backups, rates, drills.last_copy)
        return {
            RestoreEstimateFacts: estimate,
            ExposureFacts: exposed,
            WalFullFacts: full,
            RestoreFacts: restore,
            CollectorsFacts: _collectors(readings),
        }

    @property
    def kept_trail(self) -> KeptTrail | None:
        """What a restart should find again."""
        if self._system_identifier is None or not self._trail:
            return self._kept
        return KeptTrail(system_identifier=self._system_identifier, trail=condense(self._trail))

    def _follow(self, facts: Mapping[type, Any]) -> None:
        """Go on with the trail that was kept, if it is this server that left it."""
        control: ControlFacts | None = facts.get(ControlFacts)
        if control is not None:
            known = self._system_identifier
            if known not in (None, control.system_identifier):
                self._trail = ()
            self._system_identifier = control.system_identifier
            if self._kept and self._kept.system_identifier == control.system_identifier:
                self._trail = self._kept.trail
            self._kept = None
        if self._kept is None:
            self._trail = follow(self._trail, facts)

    def expected(self, facts: Mapping[type, Any]) -> set[type]:
        """What should be there, as far as the sources that it rests on ever told."""
        if not any(step.archived_to_lsn is not None for step in self._trail):
            return set()
        volume = facts.get(WalVolumeFacts)
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

    def note(self, positions: PositionFacts) -> None:
        """See how replay moves: every reading counts, not only the one that is judged."""
        self._restore.note(positions)

    def progress(self, restore: RestoreFacts | None) -> Progress:
        """How far the recovery that goes on has come."""
        return self._restore.progress(restore)


def _by_age(rates: Iterable[ReplayRate]) -> list[ReplayRate]:
    """The oldest first; before them those whose log does not tell."""
    long_ago = datetime.min.replace(tzinfo=UTC)
    return sorted(rates, key=lambda rate: rate.at or long_ago)


def _collectors(readings: Mapping[str, Reading]) -> CollectorsFacts:
    return CollectorsFacts(
        failing=failing_sources(readings),
        working=frozenset(name for name, reading in readings.items() if reading.succeeded),
    )
