"""What a server's log says of its restores: the running one, and the verdict of the last.

`RestoreRecord` follows the events; `take_facts` joins what they told with what SQL and the
archive's listing say. A standby is in recovery as well, but it is no restore: nobody waits for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime
from typing import Final

from parsers.errors import ParseError
from parsers.log.messages.event import Event
from parsers.log.recovery_events import RecoveryEvent
from parsers.segment import parse_segment_name
from parsers.sentences import tr
from parsers.values import dataclass
from rules.capacity.forecast import ReplayRate
from rules.live.attempt import Attempt
from rules.live.logged import LastRestore, LoggedRecovery
from rules.live.outcomes import FAILED, NONE, PAUSED, PROMOTED, SHUT_DOWN
from rules.live.phase import OVER, RUNNING, STANDS_STILL, Phase
from rules.live.places import Places
from rules.live.shortfall import judge_shortfall
from rules.live.state_machine import MOVING, RestoreMachine
from rules.live.summary import Summary, outcome_of, outcome_of_attempt, summarize
from rules.model.facts import ArchiveFacts, PositionFacts
from rules.model.findings import Verdict
from rules.model.releases import ServerStart, parse_release

OUTCOMES: Final = (PROMOTED, PAUSED, FAILED, SHUT_DOWN)
# A prefix with %t has whole seconds: shorter replays cannot be measured.
MEASURABLE_SECONDS: Final = 5.0
_STARTS: Final = 1000  # that are remembered: the release of a backup is that of the start before it
_REPLAYED: Final = frozenset({Event.REDO_STARTED, Event.REDO_PROGRESS, Event.CONSISTENCY_REACHED})


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRestore:
    """What is known of a server's recovery from its log, SQL and the archive together."""

    log: LoggedRecovery
    in_progress: bool | None  # None: not known
    paused: bool
    replayed_lsn: int | None = None  # while it runs; None: not known yet
    target_lsn: int | None = None  # where replay goes to; None: not known
    moved_at: datetime | None = None  # when recovery last got on, by the agent's clock
    last: LastRestore | None = None  # None: no restore was seen
    archived: Sequence[str] | None = None  # segments, sorted by name; None: nobody listed them
    places: Places = field(default_factory=Places)

    @property
    def attempt(self) -> Attempt:
        return self.log.attempt

    @property
    def is_none(self) -> bool:
        """The log tells of no restore: a crash recovery, a clean start, or nothing at all."""
        told = self.log.summary.outcome is not None
        return told and outcome_of_attempt(self.attempt) == NONE

    @property
    def standby(self) -> bool:
        return self.log.current.standby

    @property
    def running(self) -> Attempt | None:
        """The start that recovers; None: it is over, or the log does not tell."""
        return self.log.current if self.in_progress and self.log.in_progress else None

    @property
    def waits_for_a_person(self) -> bool:
        """A pause: nothing happens until somebody resumes or promotes."""
        return bool(self.in_progress) and self.paused


class RestoreRecord(RestoreMachine):
    """The machine, and what it has come through: one server's starts and restores in one log."""

    def __init__(self) -> None:
        super().__init__()
        self._replayed_lsn: int | None = None
        self._moved_at: datetime | None = None
        self._of: Attempt | None = None  # whose `_replayed_lsn` it is
        self._last: LastRestore | None = None
        self._judged: Phase | None = None  # the phase of `_of` that `_last` is of
        self._redo_started: RecoveryEvent | None = None
        self._stopped_at: datetime | None = None
        self._replay_rate: ReplayRate | None = None
        self._starts: deque[ServerStart] = deque(maxlen=_STARTS)
        self.now = datetime.min.replace(tzinfo=UTC)  # when what came last was read

    def apply_all(self, events: Iterable[object], now: datetime | None = None) -> None:
        """Take the recovery events among what the log's stream gave at `now`."""
        self.now = now or self.now
        super().apply_all(events)

    def snapshot(self) -> LoggedRecovery:
        """What is known now, as a value."""
        self._settle()
        attempt = self.attempt.copy()
        return LoggedRecovery(
            attempt=attempt,
            summary=summarize(self),
            current=attempt if self.current is self.attempt else self.current.copy(),
            unreadable=self.unreadable,
            replayed_lsn=self._replayed_lsn,
            moved_at=self._moved_at,
            last=self._last,
            replay_rate=self._replay_rate,
            starts=tuple(self._starts),
        )

    def apply(self, event: RecoveryEvent) -> None:
        if event.name in MOVING or event.severity in ("FATAL", "PANIC"):
            self._settle()
        super().apply(event)
        current = self.current
        if current is not self._of:
            self._of, self._replayed_lsn, self._judged = current, None, None
        if event.name in _REPLAYED and event.proven:
            self._replayed_lsn = event.lsn()
        if event.proven:
            self._measure(event)
            self._keep_start(event)
        if current.phase in RUNNING:
            self._moved_at = self.now
        if current.phase in OVER | STANDS_STILL and self.attempt is current:
            self._remember(current, event)

    def _keep_start(self, event: RecoveryEvent) -> None:
        version = event.text("version") if event.name == Event.SERVER_STARTING else None
        release = parse_release(version) if version else None
        if release is not None and event.at is not None:
            self._starts.append(ServerStart(event.at, release))

    def _measure(self, event: RecoveryEvent) -> None:
        """Learn how fast replay was, from its start to its stop.

        A pause at the target comes after the stop; one before it makes the time worthless.
        """
        if event.name == Event.REDO_STARTED:
            self._redo_started, self._stopped_at = event, None
        elif event.name == Event.RECOVERY_PAUSED:
            self._redo_started = None
        elif event.name == Event.RECOVERY_STOPPING:
            self._stopped_at = event.at
        elif event.name == Event.REDO_DONE and self._redo_started is not None:
            rate = measure_replay(self._redo_started, event.lsn(), self._stopped_at or event.at)
            if rate is not None and not self.current.standby:
                self._replay_rate = rate
            self._redo_started = None

    def _remember(self, current: Attempt, event: RecoveryEvent) -> None:
        """Keep the verdict. Lines that follow an end may still explain it, never move it."""
        if self._judged is current.phase or outcome_of(self) not in OUTCOMES:
            return
        self._judged = current.phase
        self._last = LastRestore(
            attempt=current.copy(),
            summary=summarize(self),
            standby=current.standby,
            at=event.at,
            known_since=self.now,
        )

    def _settle(self) -> None:
        """Bring the verdict up to what was said since, before anything moves on."""
        current = self.current
        if self._last is None or self._judged is not current.phase or self.attempt is not current:
            return
        summary = summarize(self)
        if summary.outcome in OUTCOMES:
            self._last = replace(self._last, attempt=current.copy(), summary=summary)


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
        replayed_bytes=stopped_lsn - first, seconds=seconds, source=tr("server log"), at=stopped_at
    )


def hold_to_archive(last: LastRestore, archive: ArchiveFacts) -> LastRestore:
    """See whether the archive held more than the restore replayed.

    Only the first listing taken after its end tells: what it did not need may expire later.
    """
    if last.held_to_archive or archive.listed_at <= last.known_since:
        return last
    summary = judge_shortfall(last.summary, sorted(archive.segments))
    return replace(last, summary=summary, held_to_archive=True)


def take_facts(
    logged: LoggedRecovery,
    last: LastRestore | None,
    positions: PositionFacts | None,
    archive: ArchiveFacts | None,
    *,
    moved_at: datetime | None = None,  # when SQL last showed another replay position
) -> LiveRestore:
    """Join what the log, SQL and the archive say. SQL knows better where it answers."""
    in_progress = positions.in_recovery if positions is not None else logged.in_progress
    replayed = positions.replay_lsn if positions is not None else logged.replayed_lsn
    moves = [at for at in (logged.moved_at, moved_at) if at is not None]
    return LiveRestore(
        log=logged,
        in_progress=in_progress,
        paused=bool(positions.replay_paused) if positions is not None else logged.paused,
        replayed_lsn=replayed if in_progress else None,
        target_lsn=_target(logged.current, archive) if in_progress else None,
        moved_at=max(moves, default=None),
        last=last,
        places=Places(archives=(archive.url,) if archive is not None else ()),
    )


def watch_restore(
    record: RestoreRecord,
    summary: Summary,
    archived: Sequence[str] | None,
    places: Places | None = None,
) -> LiveRestore:
    """The restore of a log that a person watches, who waits for whatever runs there.

    `summary` is what is known to have become of it.
    """
    attempt, ended = record.attempt, None
    if summary.outcome in OUTCOMES:
        ended = LastRestore(
            attempt=attempt, summary=summary, standby=False, at=None, known_since=record.now
        )
    paused = summary.outcome == PAUSED
    return LiveRestore(
        log=LoggedRecovery(
            attempt=attempt, summary=summary, current=record.current, unreadable=record.unreadable
        ),
        in_progress=paused or ended is None,
        paused=paused,
        last=ended,
        archived=archived,
        places=places or Places(),
    )


def _target(attempt: Attempt, archive: ArchiveFacts | None) -> int | None:
    """The LSN asked for; without a target, the end of the archive. Others stop at a record."""
    if attempt.target_type == "none" and archive is not None and not attempt.standby:
        return archive_end(archive)
    value = attempt.target_value if attempt.target_type == "lsn" else None
    return value if isinstance(value, int) else None


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
