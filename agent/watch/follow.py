"""One restore, followed from all its sources: every step reads what is new and nothing waits."""

from __future__ import annotations

import contextlib
import functools
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.archive.directory import NotAnArchive, list_archive
from agent.durations import format_duration
from agent.logtail import LogTail
from agent.message_catalogues import find_languages
from agent.watch.companion import Companion
from agent.watch.lines import View, stop_words
from agent.watch.probe import Probe, probe
from agent.watch.progress import Pace, Progress
from agent.watch.sources import NOTHING, Sources, find_sources
from parsers.errors import ParseError
from parsers.log_stream import LogStream, StreamItem
from parsers.log_time import Zone
from parsers.lsn import parse_lsn
from parsers.segment import parse_segment_name
from rules.restore_causes import describe_target
from rules.restore_checks import Check, four_checks
from rules.restore_foresight import DataDirectory, foresee
from rules.restore_shortfall import Shortfall, judge_shortfall
from rules.restore_state import Phase, Restore
from rules.restore_summary import Summary, summarize

if TYPE_CHECKING:
    from agent.cli.watch import Options

_LOOK_SECONDS: Final = 1.0  # between two looks at the directory, the process and SQL
_LIST_SECONDS: Final = 30.0  # between two listings of the archive
_STALL_SECONDS: Final = 10.0
_RECENT: Final = 8
_GONE_SECONDS: Final = 5.0  # a server that is not there for so long has ended


class Follower:
    """The state of one run of `pitr-watch`."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.restore = Restore()
        self.recent: deque[StreamItem] = deque(maxlen=_RECENT)
        self.sources: Sources = NOTHING
        self.probe = Probe()
        self.tail: LogTail | None = None
        self._companion = Companion(self._new_stream)
        self._pace = Pace()
        self._looked_at = -_LOOK_SECONDS
        self._phase: tuple[str, float] = ("", time.monotonic())
        self._waiting: tuple[str | None, float] = (None, 0.0)
        self._seen_running = False
        self._gone_at: float | None = None
        self._archived: tuple[str, ...] | None = None
        self._archived_at = 0.0
        if options.log is not None:
            self.tail = self._new_tail(options.log)

    # -- reading ---------------------------------------------------------------------------------

    def step(self) -> list[StreamItem]:
        """Read what is new everywhere. Raises CannotCheck and OSError."""
        if time.monotonic() - self._looked_at >= _LOOK_SECONDS:
            self._look()
            self._looked_at = time.monotonic()
        items = self.tail.read_new() if self.tail is not None else []
        items += self._companion.read_new(self.tail)
        self._take(items)
        return items

    def finish(self) -> list[StreamItem]:
        """Take what the log still held, and look a last time."""
        items = self.tail.close() if self.tail is not None else []
        items += self._companion.close()
        self._take(items)
        self._look()
        return items

    @property
    def at_end(self) -> bool:
        """All that is written so far has been read."""
        return self.tail is None or (self.tail.at_end and self._companion.at_end)

    def _take(self, items: list[StreamItem]) -> None:
        self.restore.apply_all(items)
        self.recent.extend(items)

    def _look(self) -> None:
        options = self.options
        self.sources = find_sources(options.pgdata)
        if self.tail is None and self.sources.log is not None:
            self.tail = self._new_tail(self.sources.log)
        self.probe = probe(
            options.pgdata, self.sources.postmaster_pid, options.dsn or self.sources.dsn
        )
        self._note_running()
        self._note_segment()
        if self.probe.replay_lsn is not None:
            self._pace.add(time.monotonic(), self.probe.replay_lsn)

    def _note_running(self) -> None:
        if self.probe.running:
            self._seen_running, self._gone_at = True, None
        elif self._seen_running and self._gone_at is None:
            self._gone_at = time.monotonic()

    def _note_segment(self) -> None:
        """Since when the startup process waits for the same segment."""
        waits = self.probe.segment if self.probe.doing == "waiting for" else None
        if waits != self._waiting[0]:
            self._waiting = (waits, time.monotonic())

    @property
    def _segment_seconds(self) -> float:
        return time.monotonic() - self._waiting[1] if self._waiting[0] else 0.0

    def _new_tail(self, path: Path) -> LogTail:
        return LogTail(path, self._new_stream)

    def _new_stream(self) -> LogStream:
        options = self.options
        return LogStream(
            prefix=options.prefix,
            zone=Zone(log_timezone=options.zone or self.sources.zone),
            find_languages=functools.partial(find_languages, options.localedir),
        )

    # -- judging ---------------------------------------------------------------------------------

    @property
    def summary(self) -> Summary:
        """The verdict so far."""
        archived = self._archive()
        shortfall = Shortfall(archived=archived) if archived is not None else None
        return judge_shortfall(summarize(self.restore), shortfall)

    @property
    def checks(self) -> tuple[Check, ...]:
        """The four checks, of an end or a pause."""
        return four_checks(
            self.summary,
            self.restore.attempt,
            in_recovery=self.probe.in_recovery,
            no_sql=self.probe.sql_error or "no server to ask: give --dsn or --pgdata",
            recovery_signal=self.probe.recovery_signal,
        )

    @property
    def settled(self) -> bool:
        """Nothing more will happen without a person."""
        attempt = self.restore.attempt
        phase = attempt.phase
        if phase is Phase.ENDED:
            return attempt.opened
        if phase is Phase.NONE and self.probe.in_recovery is False and self.at_end:
            return True  # an open server, and no restore in its log
        if phase in (Phase.FAILED, Phase.SHUT_DOWN):
            return "server_shut_down" in attempt.seen or self._is_gone() or not self.probe.running
        return phase is Phase.PAUSED_AT_TARGET or self._is_gone()

    @property
    def ended(self) -> bool:
        """Settled, and no person can make it go on."""
        return self.settled and self.restore.attempt.phase is not Phase.PAUSED_AT_TARGET

    def _is_gone(self) -> bool:
        return self._gone_at is not None and time.monotonic() - self._gone_at > _GONE_SECONDS

    def _archive(self) -> tuple[str, ...] | None:
        """The archive's segments, listed now and then; None when there is no archive to list."""
        url = self.options.archive or self.sources.archive
        if url is None:
            return None
        if self._archived is None or time.monotonic() - self._archived_at > _LIST_SECONDS:
            self._archived_at = time.monotonic()
            try:
                self._archived = tuple(sorted(list_archive(url).segments))
            except NotAnArchive:
                self._archived = ()
        return self._archived or None

    # -- showing ---------------------------------------------------------------------------------

    def view(self) -> View:
        """All that a screen shows now."""
        summary, attempt = self.summary, self.restore.attempt
        phase = self._phase_words()
        if phase != self._phase[0]:
            self._phase = (phase, time.monotonic())
        over = attempt.phase in (Phase.ENDED, Phase.FAILED, Phase.SHUT_DOWN, Phase.PAUSED_AT_TARGET)
        return View(
            where=str(self.options.pgdata or self.options.log),
            phase=phase,
            phase_seconds=time.monotonic() - self._phase[1],
            target=self._target_words(),
            summary=summary,
            progress=self._progress(),
            replayed_at=self.probe.replayed_at,
            segment=self.probe.segment,
            segment_doing=self.probe.doing,
            timeline=self.probe.timeline,
            recent=tuple(self.recent),
            notes=tuple(self._notes()),
            checks=self.checks if over else (),
            stop=stop_words(summary) if summary.stop.kind is not None else None,
        )

    def _phase_words(self) -> str:
        attempt, running = self.restore.attempt, self.probe.running
        if attempt.phase is not Phase.NONE:
            return str(attempt.phase.value)
        if running is False:
            return "the server has not started yet"
        if self.tail is None:
            return "running, its log was not found: give --log"
        return "running" if running else "waiting for the log to tell"

    def _target_words(self) -> str:
        attempt = self.restore.attempt
        action = self.sources.settings.get("recovery_target_action", "")
        suffix = f"  (then {action})" if action else ""
        if attempt.target_type is not None:
            return describe_target(attempt) + suffix
        configured = self.sources.target
        if configured is not None:
            return f"{configured[0]} {configured[1]}{suffix}  (configured)"
        return "not known yet"

    def _progress(self) -> Progress:
        attempt = self.restore.attempt
        replaying = attempt.stop is None and attempt.redo_done_lsn is None
        goal_lsn, goal = self._goal() if replaying else (None, None)
        return Progress(
            start_lsn=attempt.redo_start_lsn,
            replayed_lsn=self.probe.replay_lsn,
            goal_lsn=goal_lsn,
            goal=goal,
            bytes_per_second=self._pace.bytes_per_second,
        )

    def _goal(self) -> tuple[int | None, str | None]:
        """Where replay goes to, as far as it is known: the target's LSN, else the archive's end."""
        attempt, configured = self.restore.attempt, self.sources.target
        if attempt.target_type == "lsn" and isinstance(attempt.target_value, int):
            return attempt.target_value, "the target"
        if configured is not None and configured[0] == "lsn":
            with contextlib.suppress(ParseError):
                return parse_lsn(configured[1]), "the target"
        return self._archive_end(), "the end of the archive"

    def _archive_end(self) -> int | None:
        control, archived = self.probe.control, self._archive()
        if control is None or not archived:
            return None
        try:
            _, number = parse_segment_name(archived[-1], control.wal_segment_size)
        except ParseError:
            return None
        return (number + 1) * control.wal_segment_size

    def _notes(self) -> Iterator[str]:
        """What the sources disagree about, and what will go wrong."""
        attempt, reading = self.restore.attempt, self.probe
        if attempt.phase is Phase.ENDED and reading.in_recovery:
            yield "the log says that recovery ended, SQL that it did not"
        if attempt.phase is Phase.PAUSED_AT_TARGET and reading.in_recovery is False:
            yield "the log says that recovery waits, SQL that the server was promoted"
        if reading.segment is not None and self._segment_seconds > _STALL_SECONDS:
            yield (
                f"restore_command has been asked for {reading.segment} "
                f"{format_duration(self._segment_seconds)} ago and has not answered"
            )
        if self._gone_at is not None and not self.ended:
            yield "the server's process is gone"
        if attempt.phase not in (Phase.ENDED, Phase.FAILED) and reading.running is not None:
            yield from foresee(
                DataDirectory(
                    settings=self.sources.settings,
                    recovery_signal=bool(reading.recovery_signal),
                    standby_signal=bool(reading.standby_signal),
                    backup_label=bool(reading.backup_label),
                    control=reading.control,
                    complaint=self.sources.complaint,
                )
            )
