"""What is remembered between two readings of a server that recovers: its pace, its last verdict."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import monotonic

from agent.live.progress import Pace, RestoreProgress
from rules.live.facts import LiveRestore, hold_to_archive, take_facts
from rules.live.logged import LastRestore, LoggedRecovery
from rules.model.facts import ArchiveFacts, PositionFacts


class RestoreWatch:
    """One server's recovery over time, from its log, SQL and the archive."""

    def __init__(self) -> None:
        self._pace = Pace()
        self._replayed_lsn: int | None = None
        self._moved: float | None = None  # monotonic, when SQL last showed another replay position
        self._verdict: LastRestore | None = None  # of the last restore, held to the archive

    def note(self, positions: PositionFacts) -> None:
        """See how replay moves: the log is silent between two segments."""
        lsn = positions.replay_lsn
        if not positions.in_recovery or lsn is None:
            return
        self._pace.add(monotonic(), lsn)
        if lsn != self._replayed_lsn:
            self._replayed_lsn, self._moved = lsn, monotonic()

    def facts(
        self,
        logged: LoggedRecovery,
        positions: PositionFacts | None,
        archive: ArchiveFacts | None,
    ) -> LiveRestore:
        """Join the last readings."""
        last = self._hold(logged.last, archive)
        return take_facts(logged, last, positions, archive, moved_at=self._moved_at)

    @property
    def _moved_at(self) -> datetime | None:
        """That instant by the wall clock of now, which may have been set since."""
        if self._moved is None:
            return None
        return datetime.now(UTC) - timedelta(seconds=monotonic() - self._moved)

    def progress(self, facts: LiveRestore | None) -> RestoreProgress:
        """How far the running recovery is known to have come."""
        if facts is None or not facts.in_progress:
            return RestoreProgress()
        slowest, fastest = (None, None) if facts.paused else self._pace.range
        return RestoreProgress(
            start_lsn=facts.running.redo_start_lsn if facts.running else None,
            replayed_lsn=facts.replayed_lsn,
            goal_lsn=facts.target_lsn,
            bytes_per_second=None if facts.paused else self._pace.bytes_per_second,
            slowest=slowest,
            fastest=fastest,
        )

    def _hold(self, last: LastRestore | None, archive: ArchiveFacts | None) -> LastRestore | None:
        """The verdict as the first listing after it left it."""
        held = self._verdict
        if last is None or (held is not None and held.known_since == last.known_since):
            return held
        if archive is not None:
            last = hold_to_archive(last, archive)
            self._verdict = last if last.held_to_archive else None
        return last
