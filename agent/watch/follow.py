"""One restore, followed from all its sources: every step reads what is new and nothing waits.

The log is read here. What blocks is elsewhere: looks at the server on a thread (`prober`), the
archive and the prediction in a process (`foreteller`).
"""

from __future__ import annotations

import functools
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.archive.directory import NotAnArchive
from agent.live.error_log import ErrorLog
from agent.live.logtail import LogTail
from agent.live.message_catalogues import find_languages
from agent.live.progress import Pace
from agent.watch.foretell import (
    PredictionQuestion,
    label_of_the_start,
    list_archives,
    question_about,
)
from agent.watch.foreteller import Archived, Foreteller, archived_of
from agent.watch.notice import Debounce, Deduplicate, Notice, notices
from agent.watch.prober import LOOK_SECONDS, Probed, Prober
from parsers.log.stream import LogStream, StreamItem
from parsers.log.times import Zone
from parsers.sentences import message_of, tr
from rules.live.attempt import Attempt
from rules.live.checks import EndCheck, four_checks
from rules.live.facts import LiveRestore, RestoreRecord, watch_restore
from rules.live.forecast import Forecast
from rules.live.missing_files import label_missing, label_now
from rules.live.observation import Observation
from rules.live.outcomes import FAILED, PROMOTED
from rules.live.phase import Phase
from rules.live.places import Places
from rules.live.shortfall import judge_shortfall
from rules.live.summary import Summary, hold_to_sql, summarize
from rules.model.facts import ArchiveFacts
from rules.verdict.live import Explanation, explain

if TYPE_CHECKING:
    from agent.watch.options import Options

_RECENT: Final = 200  # as many events as the largest window has room for
_GONE_SECONDS: Final = 5.0  # a server that is not there for so long has ended
_LISTING_SECONDS: Final = 60.0  # how long the end waits for the archive to be listed
_STOPPED: Final = (Phase.ENDED, Phase.FAILED, Phase.SHUT_DOWN, Phase.PAUSED_AT_TARGET)

Item = StreamItem | Notice


class Follower:
    """The state of one run of `pitr-watch`."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.restore = RestoreRecord()
        self.recent: deque[StreamItem] = deque(maxlen=_RECENT)
        self.tail: LogTail | None = None
        self.pace = Pace()
        self.gone_at: float | None = None  # monotonic: since when the server is not there
        self._stopped: Attempt | None = None  # whose next start the forecast is about
        self._companion = ErrorLog(self._new_stream)
        self._lookout = Prober(options.pgdata, options.dsn)
        self._look: Probed | None = None
        self._foreteller = Foreteller()
        self._archived: Archived | None = None  # of --once, which asks no process
        self._said, self._lasting = Deduplicate(), Debounce()
        self._position: tuple[object, float] = (None, time.monotonic())
        self._read_at = time.monotonic()  # when the log last had something new
        self._seen_running = False
        if options.log is not None:
            self.tail = self._new_tail(options.log)

    # -- reading ---------------------------------------------------------------------------------

    def step(self) -> list[Item]:
        """Read what is new everywhere. Raises CannotCheck and OSError."""
        log_first = self.options.pgdata is None  # it says whether the server may be asked
        if not log_first:
            self._take_look()
        items = self.tail.read_new() if self.tail is not None else []
        items += self._companion.read_new(self.tail)
        items = self._take(items)
        if log_first:
            self._take_look()
        self._ask()
        return [*items, *self._said.new(self.notices())]

    def finish(self) -> list[Item]:
        """Take what the log still held, and look a last time."""
        items = self.tail.close() if self.tail is not None else []
        items += self._companion.close()
        items = self._take(items)
        self._note(self._lookout.look())
        self._lookout.stop()
        if summarize(self.restore).outcome in (PROMOTED, FAILED):
            self._foreteller.wait_listed(_LISTING_SECONDS)  # was it short of what is archived?
        self._foreteller.close()
        return list(items)

    def label_finished(self, items: Sequence[Item]) -> list[Item]:
        """What a finished log gave, each missing file labelled by what became of its restore."""
        return label_missing(items, self._archived_names)

    @property
    def _archived_names(self) -> tuple[str, ...] | None:
        archived = self.archived
        return archived.names if archived is not None and archived.complaint is None else None

    @property
    def at_end(self) -> bool:
        """All that is written so far has been read."""
        return self.tail is None or (self.tail.at_end and self._companion.at_end)

    def _take(self, items: list[StreamItem]) -> list[StreamItem]:
        if items:
            self._read_at = time.monotonic()
        self.restore.apply_all(items)
        if self.options.pgdata is None and self.tail is not None:
            current, lines = self.restore.current, self.tail.stream.counts.lines
            self._lookout.accepts = lines > 0 and current.may_accept
        labelled = label_now(items, self.restore.current, self._archived_names)
        self.recent.extend(labelled)
        return labelled

    def _take_look(self) -> None:
        """Take the latest look. The first is waited for; with --once so is each."""
        latest = self._lookout.latest
        is_old = time.monotonic() - latest.at > LOOK_SECONDS
        if self._look is None or (self.options.once and is_old):
            latest = self._lookout.look()
        if not self.options.once:
            self._lookout.start()
        if latest is not self._look:
            self._note(latest)

    def _note(self, look: Probed) -> None:
        self._look = look
        if self.tail is None and look.sources.log is not None:
            self.tail = self._new_tail(look.sources.log)
        reading = look.reading
        self._note_running(reading)
        position = (reading.position_lsn, reading.segment, reading.doing)
        if position != self._position[0]:
            self._position = (position, look.at)
        if reading.position_lsn is not None:
            self.pace.add(look.at, reading.position_lsn)

    def _note_running(self, reading: Observation) -> None:
        if reading.running:
            self._seen_running, self.gone_at = True, None
        elif self._seen_running and self.gone_at is None:
            self.gone_at = time.monotonic()

    def _new_tail(self, path: Path) -> LogTail:
        return LogTail(path, self._new_stream)

    def _new_stream(self) -> LogStream:
        options = self.options
        zone = self._look.sources.zone if self._look else None
        return LogStream(
            prefix=options.prefix,
            zone=Zone(log_timezone=options.zone or zone),
            find_languages=functools.partial(find_languages, options.localedir),
        )

    # -- asking the predictor --------------------------------------------------------------------

    def _ask(self) -> None:
        """Ask for the listing and, while the restore is under way, for the prediction."""
        if self.options.once or not self.at_end:
            return
        self._foreteller.receive()
        question = self._question()
        stopped = self.restore.attempt if self._waits_for_start else None
        if question is not None and self._foreteller.consider(question):
            self._stopped = stopped

    def _question(self) -> PredictionQuestion | None:
        look, attempt = self.look, self.restore.attempt
        archives = self._archives
        if not archives:
            return None
        over = attempt.phase in _STOPPED and look.reading.label is None
        over &= not self._waits_for_start
        if self.options.pgdata is None or over:
            return None if self._foreteller.asked else PredictionQuestion(archives=archives)
        question = question_about(
            self.options.pgdata,
            archives,
            look.sources.settings,
            look.reading,
            settings_known=look.sources.settings_known,
        )
        if question.label is None and (
            self._foreteller.asked is None or self._foreteller.asked.label is None
        ):
            label = label_of_the_start(look.reading, attempt.redo_start_lsn)
            return replace(question, label=label)
        return question

    @property
    def forecasts_next_start(self) -> bool:
        """The forecast was asked when the server was down, and the log has no recovery since."""
        attempt = self.restore.attempt
        return self._stopped is not None and (attempt is self._stopped or attempt.refused)

    @property
    def _waits_for_start(self) -> bool:
        """Recovery has stopped, the server is down, and its next start would go on with it."""
        reading = self.look.reading
        stopped = self.restore.attempt.phase in _STOPPED and reading.running is False
        return stopped and bool(reading.recovery_signal or reading.standby_signal)

    @property
    def _archives(self) -> tuple[str, ...]:
        given = self.options.archive
        return (given,) if given is not None else self.look.sources.archives

    # -- what is known ---------------------------------------------------------------------------

    @property
    def look(self) -> Probed:
        """The look that counts now."""
        return self._look or self._lookout.latest

    @property
    def forecast(self) -> Forecast | None:
        """What the predictor has said."""
        return self._foreteller.forecast

    @property
    def foretelling(self) -> str | None:
        """The segment that the predictor is at; None when it is not reading."""
        return self._foreteller.reading

    @property
    def no_forecast(self) -> str | None:
        """Why the predictor says nothing; None when it does, or may yet."""
        return self._foreteller.complaint

    @property
    def archived(self) -> Archived | None:
        """The archive's segments. None: there is no archive to list, or it is not listed yet."""
        if self.options.once and self._archived is None and self._archives:
            self._archived = _list_now(self._archives)
        return self._archived or self._foreteller.archived

    # -- judging ---------------------------------------------------------------------------------

    @property
    def summary(self) -> Summary:
        """The verdict so far."""
        archived = self.archived
        summary = hold_to_sql(summarize(self.restore), self.look.reading.in_recovery)
        if archived is None or archived.complaint is not None:
            return summary
        return judge_shortfall(summary, archived.names, archived.segment_size, archived.stored)

    @property
    def explanation(self) -> Explanation:
        """Why it is so, and what to type next."""
        return explain(self._live, self.look.reading, self._foretold)

    @property
    def _foretold(self) -> Forecast | None:
        """What was predicted of the restore that the log tells of."""
        return None if self.forecasts_next_start else self.forecast

    @property
    def _live(self) -> LiveRestore:
        archived, pgdata, reading = self.archived, self.options.pgdata, self.look.reading
        there = reading.recovery_signal
        places = Places(
            archives=self._archives,
            pgdata=str(pgdata) if pgdata is not None else None,
            has_label=reading.label is not None,
            has_signal=None if there is None else there or bool(reading.standby_signal),
            stored=archived.stored if archived is not None else {},
        )
        return watch_restore(self.restore, self.summary, self._archived_names, places)

    @property
    def checks(self) -> tuple[EndCheck, ...]:
        """The four checks, of an end or a pause."""
        reading = self.look.reading
        return four_checks(
            self.summary,
            self.restore.attempt,
            in_recovery=reading.in_recovery,
            no_sql=reading.sql_error or self._no_sql,
            recovery_signal=reading.recovery_signal,
        )

    @property
    def _no_sql(self) -> str:
        if self.options.pgdata is not None and not self.look.reading.running:
            return tr("the server is down")
        if self.options.pgdata is not None:
            return tr("the server accepts no connections yet")
        return tr("no server to ask: give --dsn or --pgdata")

    @property
    def replays(self) -> bool:
        """Recovery still takes WAL; once it has stopped, the process's title is of the past."""
        attempt = self.restore.attempt
        return attempt.stop is None and attempt.redo_done_lsn is None

    @property
    def settled(self) -> bool:
        """Nothing more will happen without a person."""
        attempt, reading = self.restore.attempt, self.look.reading
        phase = attempt.phase
        if phase is Phase.ENDED:
            return attempt.opened
        if phase is Phase.NONE and reading.in_recovery is False and self.at_end:
            return True  # an open server, and no restore in its log
        if phase in (Phase.FAILED, Phase.SHUT_DOWN):
            return attempt.is_down or self._is_gone() or not reading.running
        return phase is Phase.PAUSED_AT_TARGET or self._is_gone()

    @property
    def ended(self) -> bool:
        """Settled, and no person can make it go on."""
        return self.settled and self.restore.attempt.phase is not Phase.PAUSED_AT_TARGET

    def _is_gone(self) -> bool:
        """A log that goes on is of a server that was started again, which no look has seen yet."""
        if self.gone_at is None:
            return False
        return time.monotonic() - max(self.gone_at, self._read_at) > _GONE_SECONDS

    def notices(self) -> list[Notice]:
        """All that holds now beside the log: what lies ahead, a stall, contradictions."""
        now = time.monotonic()
        look = replace(self.look.reading, still_seconds=now - self._position[1])
        return list(self._lasting.of(notices(self._live, look, self.forecast), now))


def _list_now(urls: tuple[str, ...]) -> Archived:
    try:
        facts = list_archives(urls).get(ArchiveFacts)
    except NotAnArchive as error:
        return Archived(complaint=message_of(error))
    assert facts is not None, "archives are named"
    return archived_of(facts)
