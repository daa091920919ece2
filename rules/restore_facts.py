"""What a server's log says of its restores: the one that goes on, and the verdict of the last.

`RestoreRecord` follows the events; `take_facts` joins what they told with what SQL and the
archive's listing say. A standby is in recovery as well, but it is no restore: nobody waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from parsers.errors import ParseError
from parsers.recovery_events import RecoveryEvent
from parsers.segment import parse_segment_name
from rules.facts import ArchiveFacts, PositionFacts
from rules.findings import Verdict
from rules.forecast import ReplayRate
from rules.restore_causes import describe_target
from rules.restore_shortfall import Shortfall, judge_shortfall
from rules.restore_state import Attempt, Phase, Restore
from rules.restore_summary import FAILED, PAUSED, PROMOTED, SHUT_DOWN, Summary, summarize

OUTCOMES: Final = (PROMOTED, PAUSED, FAILED, SHUT_DOWN)
# A prefix with %t has whole seconds: shorter replays cannot be measured.
MEASURABLE_SECONDS: Final = 5.0
_PAUSED: Final = frozenset({Phase.PAUSED, Phase.PAUSED_AT_TARGET})
# STARTING is not told apart: a clean start looks the same until its next line.
_RUNNING: Final = _PAUSED | {
    Phase.FETCHING, Phase.REPLAYING, Phase.CONSISTENT, Phase.READ_ONLY, Phase.WAITING,
    Phase.STOPPING, Phase.PROMOTING,
}  # fmt: skip
_OVER: Final = frozenset({Phase.ENDED, Phase.FAILED, Phase.SHUT_DOWN})
_REPLAYED: Final = frozenset({"redo_started", "redo_progress", "consistency_reached"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRestore:
    """The verdict of the last restore that came to something."""

    summary: Summary  # its outcome is one of OUTCOMES
    standby: bool
    at: datetime | None  # when the log says so; None: its stamps cannot be read
    known_since: datetime  # when it was read
    held_to_archive: bool = False  # a listing taken after `known_since` has been looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningRestore:
    """What the log tells of the recovery that goes on."""

    phase: Phase
    target: str | None  # in words; None: no line named it
    started_at: datetime | None  # by the log's stamps
    redo_start_lsn: int | None
    restored_count: int  # segments fetched from the archive, with repetitions
    last_restored: str | None  # None: none yet


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRecovery:
    """What one server's log says of recovery, as far as it has been read."""

    in_progress: bool | None  # None: neither the start nor the end of a recovery was seen
    paused: bool
    standby: bool
    replayed_lsn: int | None  # the last position that the log names
    target_type: str | None
    target_lsn: int | None  # of a target that is an LSN
    moved_at: datetime | None  # when the last line about a running recovery was read
    last: LastRestore | None  # None: no restore was seen
    replay_rate: ReplayRate | None = None  # of the last replay that was long enough to measure
    running: RunningRestore | None = None  # None: nothing goes on, as far as is known


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreFacts:
    """What is known of a server's recovery from its log, SQL and the archive together."""

    in_progress: bool | None  # None: not known
    paused: bool
    standby: bool
    replayed_lsn: int | None  # while it goes on; None: not known yet
    target_lsn: int | None  # where replay goes to; None: not known
    moved_at: datetime | None  # when recovery last got on, by the agent's clock
    last: LastRestore | None  # None: no restore was seen
    running: RunningRestore | None = None  # None: over, or the log does not tell

    @property
    def waits_for_a_person(self) -> bool:
        """A pause: nothing happens until somebody resumes or promotes."""
        return bool(self.in_progress) and self.paused


class RestoreRecord:
    """Follows one server's log through starts and restores."""

    def __init__(self) -> None:
        self.restore = Restore()
        self._replayed_lsn: int | None = None
        self._moved_at: datetime | None = None
        self._last: LastRestore | None = None
        self._attempt: Attempt | None = None
        self._judged: Phase | None = None  # the phase of the attempt that `_last` is of
        self._redo_started: RecoveryEvent | None = None
        self._stopped_at: datetime | None = None
        self._replay_rate: ReplayRate | None = None

    def apply_all(self, items: Iterable[object], now: datetime) -> None:
        """Take the recovery events among what the log's stream gave at `now`."""
        for item in items:
            if isinstance(item, RecoveryEvent):
                self._apply(item, now)

    def snapshot(self) -> LoggedRecovery:
        """What is known now, as a value."""
        attempt = self.restore.current
        target = attempt.target_value if attempt.target_type == "lsn" else None
        return LoggedRecovery(
            in_progress=_goes_on(attempt),
            paused=attempt.phase in _PAUSED and "server_shut_down" not in attempt.seen,
            standby=attempt.standby,
            replayed_lsn=self._replayed_lsn,
            target_type=attempt.target_type,
            target_lsn=target if isinstance(target, int) else None,
            moved_at=self._moved_at,
            last=self._last,
            replay_rate=self._replay_rate,
            running=_running(attempt) if _goes_on(attempt) else None,
        )

    def _apply(self, event: RecoveryEvent, now: datetime) -> None:
        self.restore.apply(event)
        current = self.restore.current
        if current is not self._attempt:
            self._attempt, self._replayed_lsn, self._judged = current, None, None
        if event.name in _REPLAYED and event.proven:
            self._replayed_lsn = event.lsn()
        if event.proven:
            self._measure(event)
        if current.phase in _RUNNING:
            self._moved_at = now
        if current.phase in _OVER | _PAUSED and self.restore.attempt is current:
            self._remember(current, event, now)

    def _measure(self, event: RecoveryEvent) -> None:
        """Learn how fast replay was, from its start to its stop.

        A pause at the target comes after the stop; one before it makes the time worthless.
        """
        if event.name == "redo_started":
            self._redo_started, self._stopped_at = event, None
        elif event.name == "recovery_paused":
            self._redo_started = None
        elif event.name == "recovery_stopping":
            self._stopped_at = event.at
        elif event.name == "redo_done" and self._redo_started is not None:
            rate = measure_replay(self._redo_started, event.lsn(), self._stopped_at or event.at)
            if rate is not None and not self.restore.current.standby:
                self._replay_rate = rate
            self._redo_started = None

    def _remember(self, current: Attempt, event: RecoveryEvent, now: datetime) -> None:
        """Keep the verdict. Lines that follow an end may still explain it, never move it."""
        summary = summarize(self.restore)
        if summary.outcome not in OUTCOMES:
            return
        if self._last is not None and self._judged is current.phase:
            self._last = replace(self._last, summary=summary)
            return
        self._judged = current.phase
        self._last = LastRestore(
            summary=summary, standby=current.standby, at=event.at, known_since=now
        )


def measure_replay(
    started: RecoveryEvent, stopped_lsn: int | None, stopped_at: datetime | None
) -> ReplayRate | None:
    """The rate of one replay; None when it was too short for the log's stamps to tell."""
    first = started.lsn()
    if first is None or stopped_lsn is None or started.at is None or stopped_at is None:
        return None
    seconds = (stopped_at - started.at).total_seconds()
    if seconds < MEASURABLE_SECONDS or stopped_lsn <= first:
        return None
    return ReplayRate(
        replayed_bytes=stopped_lsn - first, seconds=seconds, source="server log", at=stopped_at
    )


def _goes_on(attempt: Attempt) -> bool | None:
    if attempt.phase in _OVER or "server_shut_down" in attempt.seen:
        return False
    return True if attempt.phase in _RUNNING else None


def _running(attempt: Attempt) -> RunningRestore:
    files = attempt.restored_segments
    return RunningRestore(
        phase=attempt.phase,
        target=describe_target(attempt) if attempt.target_type is not None else None,
        started_at=attempt.started_at,
        redo_start_lsn=attempt.redo_start_lsn,
        restored_count=len(files),
        last_restored=files[-1] if files else None,
    )


def hold_to_archive(last: LastRestore, archive: ArchiveFacts) -> LastRestore:
    """See whether the archive held more than the restore replayed.

    Only the first listing taken after its end tells: what it did not need may expire later.
    """
    if last.held_to_archive or archive.listed_at <= last.known_since:
        return last
    shortfall = Shortfall(archived=sorted(archive.segments))
    return replace(last, summary=judge_shortfall(last.summary, shortfall), held_to_archive=True)


def take_facts(
    logged: LoggedRecovery,
    positions: PositionFacts | None,
    archive: ArchiveFacts | None,
    *,
    moved_at: datetime | None = None,  # when SQL last showed another replay position
) -> RestoreFacts:
    """Join what the log, SQL and the archive say. SQL knows better where it answers."""
    in_progress = positions.in_recovery if positions is not None else logged.in_progress
    replayed = positions.replay_lsn if positions is not None else logged.replayed_lsn
    moves = [at for at in (logged.moved_at, moved_at) if at is not None]
    return RestoreFacts(
        in_progress=in_progress,
        paused=bool(positions.replay_paused) if positions is not None else logged.paused,
        standby=logged.standby,
        replayed_lsn=replayed if in_progress else None,
        target_lsn=_target(logged, archive) if in_progress else None,
        moved_at=max(moves, default=None),
        last=logged.last,
        running=logged.running if in_progress else None,
    )


def _target(logged: LoggedRecovery, archive: ArchiveFacts | None) -> int | None:
    """The LSN asked for; without a target, the end of the archive. Others stop at a record."""
    if logged.target_type == "none" and archive is not None and not logged.standby:
        return archive_end(archive)
    return logged.target_lsn


def archive_end(archive: ArchiveFacts) -> int | None:
    """The end of the newest segment of the newest timeline; None for an empty archive."""
    size = archive.segment_size_bytes
    if size is None or not archive.segments:
        return None
    try:
        return (parse_segment_name(max(archive.segments), size)[1] + 1) * size
    except ParseError:
        return None


def fell_short(last: LastRestore) -> bool:
    """Tell whether it ended, without failing, short of what was asked for or could be had."""
    return (
        not last.standby
        and last.summary.outcome in (PROMOTED, SHUT_DOWN)
        and last.summary.verdict is Verdict.CRITICAL
    )
