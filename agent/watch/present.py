"""All that a screen shows of a restore, put together from what its follower knows."""

from __future__ import annotations

import time
from typing import Final

from agent.live.progress import RestoreProgress
from agent.live.words import forecast_words, phase_words, stop_words
from agent.watch.follow import Follower
from agent.watch.lines import ScreenView
from parsers.errors import ParseError
from parsers.segment import parse_segment_name
from parsers.sentences import tr
from rules.live.attempt import describe_target
from rules.live.forecast import agrees
from rules.live.phase import Phase
from rules.live.settings import target_in
from rules.live.summary import Summary
from rules.model.counted import timed

_OLD_LOOK_SECONDS: Final = 10.0
_OVER: Final = (Phase.ENDED, Phase.FAILED, Phase.SHUT_DOWN, Phase.PAUSED_AT_TARGET)

_TITLES: Final = {"recovering": tr("recovering"), "waiting for": tr("waiting for")}


class Presenter:
    """Turns a follower into views; it remembers since when a phase lasts."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._phase: tuple[str, float] = ("", time.monotonic())

    def view(self) -> ScreenView:
        """All that a screen shows now."""
        follower = self._follower
        summary, attempt, reading = (
            follower.summary,
            follower.restore.attempt,
            follower.look.reading,
        )
        over = attempt.phase in _OVER
        replays = follower.replays and attempt.phase not in _OVER
        return ScreenView(
            where=str(follower.options.pgdata or follower.options.log),
            phase=self._phase_words(),
            phase_seconds=time.monotonic() - self._phase[1],
            target=self._target_words(),
            predicted=self._predicted(),
            summary=summary,
            explanation=follower.explanation,
            progress=self._progress(replays),
            replayed_at=reading.replayed_at,
            segment=reading.segment if replays else None,
            segment_doing=_doing(follower) if replays else None,
            timeline=reading.timeline,
            receiver=reading.receiver if replays else None,
            prefetch=reading.prefetch if replays else None,
            recent=tuple(follower.recent),
            notices=tuple(each for each in follower.notices() if each.event != "prediction"),
            notes=tuple(self._notes()),
            checks=follower.checks if over else (),
            stop=self._stop(summary),
        )

    # -- phase and target ------------------------------------------------------------------------

    def _phase_words(self) -> str:
        words = self._phase_now()
        if words != self._phase[0]:
            self._phase = (words, time.monotonic())
        return words

    def _phase_now(self) -> str:
        """By the log; where it does not tell, by SQL, the processes and pg_control."""
        follower = self._follower
        attempt, reading = follower.restore.attempt, follower.look.reading
        if attempt.phase is not Phase.NONE:
            return phase_words(attempt.phase)
        if reading.in_recovery:
            if reading.pause_state == "paused":
                return tr("recovering and paused (by SQL; the log does not tell)")
            return tr("recovering (by SQL; the log does not tell)")
        if reading.running is False:
            return tr("the server has not started yet")
        if reading.segment is not None:
            return tr(
                "{doing} WAL (by the process title; the log does not tell)",
                doing=_TITLES.get(reading.doing or ""),
            )
        if follower.tail is None:
            state = f" (pg_control: {reading.control.state.text})" if reading.control else ""
            return tr("running{state}; its log was not found: give --log", state=state)
        return tr("running") if reading.running else tr("waiting for the log to tell")

    def _target_words(self) -> str:
        follower = self._follower
        attempt, settings = follower.restore.attempt, follower.look.sources.settings
        configured = target_in(settings)
        has_target = configured.type != "none"
        suffix = tr("  (then {action})", action=configured.action) if has_target else ""
        if attempt.target_type is not None:
            described = describe_target(attempt)
            if attempt.target_type == "none":
                return described
            return tr("{target}{suffix}", target=described, suffix=suffix)
        if has_target:
            target = f"{configured.type} {configured.value or ''}".rstrip()
            return tr("{target}{suffix}  (configured)", target=target, suffix=suffix)
        return tr("none configured: the end of WAL") if settings else tr("not known yet")

    # -- prediction and progress -----------------------------------------------------------------

    def _predicted(self) -> str | None:
        follower = self._follower
        forecast = follower.forecast
        if forecast is None:
            if follower.foretelling is not None and follower.replays:
                return tr("being worked out: reading {segment}", segment=follower.foretelling)
            return None
        if follower.forecasts_next_start:
            return tr("the next start {forecast}", forecast=forecast_words(forecast))
        if agrees(forecast, follower.summary):
            return None  # the stop says so
        return forecast_words(forecast)

    def _stop(self, summary: Summary) -> str | None:
        """Where it stopped, and whether that was predicted."""
        if summary.stop.kind is None:
            return None
        forecast = self._follower.forecast
        comparable = not self._follower.forecasts_next_start
        as_predicted = agrees(forecast, summary) if forecast and comparable else None
        stop = stop_words(summary.stop)
        if as_predicted is None:
            return stop
        if as_predicted:
            return tr("{stop}  (as predicted)", stop=stop)
        return tr("{stop}  (NOT as predicted)", stop=stop)

    def _progress(self, replays: bool) -> RestoreProgress:
        follower = self._follower
        goal_lsn, goal = self._goal() if replays else (None, None)
        slowest, fastest = follower.pace.range
        reading = follower.look.reading
        return RestoreProgress(
            start_lsn=follower.restore.attempt.redo_start_lsn,
            replayed_lsn=reading.position_lsn if replays else reading.replay_lsn,
            goal_lsn=goal_lsn,
            goal=goal,
            bytes_per_second=follower.pace.bytes_per_second,
            slowest=slowest,
            fastest=fastest,
        )

    def _goal(self) -> tuple[int | None, str | None]:
        """Where replay goes to: the predicted stop, the target's LSN, or the archive's end."""
        follower = self._follower
        forecast, attempt = follower.forecast, follower.restore.attempt
        if forecast is not None and forecast.goal_lsn is not None:
            return forecast.goal_lsn, forecast.goal
        receiver = follower.look.reading.receiver
        if receiver is not None and receiver.sent_lsn is not None:
            return receiver.sent_lsn, tr("what the sender has")
        if attempt.target_type == "lsn" and isinstance(attempt.target_value, int):
            return attempt.target_value, tr("the target")
        return self._archive_end(), tr("the end of the archive")

    def _archive_end(self) -> int | None:
        archived = self._follower.archived
        if archived is None or not archived.names or archived.segment_size is None:
            return None
        newest = max(archived.names, key=lambda name: name[8:])
        try:
            _, number = parse_segment_name(newest, archived.segment_size)
        except ParseError:
            return None
        return (number + 1) * archived.segment_size

    def _notes(self) -> list[str]:
        """What is not known, and why."""
        follower = self._follower
        attempt, reading = follower.restore.attempt, follower.look.reading
        notes: list[str] = []
        archived = follower.archived
        if not follower.look.sources.settings_known and not reading.absent_files:
            notes.append(
                tr(
                    "there is no postgresql.conf in the data directory: what it says is known once "
                    "the server runs"
                )
            )
        if archived is not None and archived.complaint:
            notes.append(tr("the archive cannot be listed: {why}", why=archived.complaint))
        if follower.no_forecast and follower.replays:
            notes.append(tr("no prediction: {why}", why=follower.no_forecast))
        if follower.gone_at is not None and not follower.ended:
            notes.append(tr("the server's process is gone"))
        if reading.sql_error and attempt.phase in (Phase.READ_ONLY, Phase.PAUSED_AT_TARGET):
            notes.append(tr("SQL cannot be asked: {why}", why=reading.sql_error))
        age = time.monotonic() - follower.look.at
        if age > _OLD_LOOK_SECONDS:
            notes.append(tr("inspecting the server has been hanging for {time}", time=timed(age)))
        return notes


def _doing(follower: Follower) -> str | None:
    """What goes on with the current segment, in a word."""
    reading = follower.look.reading
    if reading.command is not None:
        return tr("fetching")
    if reading.doing == "waiting for":
        # Reading ahead, 15 and later have asked for it and go on.
        return tr("waiting for") if reading.standby_signal else tr("applying, then")
    return tr("applying") if reading.doing == "recovering" else None
