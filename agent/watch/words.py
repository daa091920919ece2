"""Recovery events in plain words."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from parsers.lsn import format_lsn
from parsers.recovery_events import FieldValue, RecoveryEvent
from rules.outcome import Ending
from rules.outcome import Stop as PredictedStop
from rules.restore_forecast import Forecast
from rules.restore_state import Phase
from rules.restore_summary import Stop


def in_words(event: RecoveryEvent) -> str:
    """What the event means, in one line; the server's own message where no words are better."""
    words = _WORDS.get(event.name)
    if words is None:
        return f"{event.severity + ': ' if _loud(event) else ''}{event.message}"
    return words(event)


_PHASES: Final = {  # where the state's own name leaves out that replay goes on
    Phase.CONSISTENT: "replaying (the data are consistent)",
    Phase.READ_ONLY: "replaying (open for reading)",
}


def phase_words(phase: Phase) -> str:
    """Where a recovery stands."""
    return _PHASES.get(phase) or str(phase.value)


def _loud(event: RecoveryEvent) -> bool:
    return event.severity not in ("", "LOG")


def instant(value: FieldValue) -> str:
    """An instant for a person: UTC, to the microsecond where it has them."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ") + " UTC"
    return str(value)


def _lsn(event: RecoveryEvent, name: str = "lsn") -> str:
    value = event.lsn(name)
    return "an unknown LSN" if value is None else format_lsn(value)


def _starting(event: RecoveryEvent) -> str:
    version = event.text("version") or ""
    return f"the server starts: {version.split(' on ', 1)[0]}"


def _target(event: RecoveryEvent) -> str:
    kind = event.text("target_type") or ""
    if kind == "immediate":
        return "recovery goes to the end of the backup, no further"
    value = event.fields.get(kind)
    shown = format_lsn(value) if kind == "lsn" and isinstance(value, int) else instant(value)
    return f"recovery goes to the target: {kind} {shown}"


def describe_stop(event: RecoveryEvent) -> str:
    """The stop point: `before the commit of transaction 732 (2025-07-10 19:36:58 UTC)`."""
    kind = event.text("kind")
    if kind in ("commit", "abort"):
        time = instant(event.fields.get("time"))
        return f"{event.text('position')} the {kind} of transaction {event.fields['xid']} ({time})"
    if kind == "restore_point":
        return f'at restore point "{event.text("name")}" ({instant(event.fields.get("time"))})'
    if kind == "lsn":
        return f"{event.text('position')} the record at {_lsn(event)}"
    return "as soon as the data were consistent"


def _missing(event: RecoveryEvent) -> str:
    file, harmless = event.text("file") or "", event.fields.get("harmless")
    if file.endswith(".history") and harmless is not False:
        return f"the archive has no {file}: no later timeline, harmless"
    if harmless is None:
        return f"the archive has no {file}"
    return f"the archive has no {file}: " + ("harmless" if harmless else "recovery needed it")


_Words = Callable[[RecoveryEvent], str]
_WORDS: Final[dict[str, _Words]] = {
    "server_starting": _starting,
    "interrupted": lambda e: (
        f"the data are of a server that ran until {instant(e.fields.get('log_time'))} or later"
    ),
    "recovery_target_set": _target,
    "archive_recovery_started": lambda e: "recovery goes to the end of the archive: no target",
    "standby_mode_entered": lambda e: "standby mode: recovery goes on until somebody promotes",
    "backup_recovery_started": lambda e: (
        f"backup_label is used: redo from {_lsn(e, 'redo_lsn')} on timeline {e.fields['timeline']}"
    ),
    "backup_recovery_done": lambda e: f"the end of the backup is passed: {_lsn(e, 'end_lsn')}",
    "file_restored": lambda e: f"got {e.text('file')} from the archive",
    "file_missing": _missing,
    "redo_started": lambda e: f"replay begins at {_lsn(e)}",
    "redo_progress": lambda e: f"replaying, at {_lsn(e)}",
    "consistency_reached": lambda e: f"the data are consistent from {_lsn(e)} on",
    "ready_read_only": lambda e: "open for reading",
    "recovery_stopping": lambda e: f"recovery stops {describe_stop(e)}",
    "paused_at_target": lambda e: "paused at the target",
    "recovery_paused": lambda e: "paused",
    "redo_done": lambda e: f"replay ends; the last record read begins at {_lsn(e)}",
    "last_transaction": lambda e: f"last transaction replayed: {instant(e.fields.get('time'))}",
    "timeline_selected": lambda e: f"the server goes on as timeline {e.fields['timeline']}",
    "archive_recovery_complete": lambda e: "recovery is complete",
    "ready_read_write": lambda e: "open for reading and writing",
    "shutdown_at_target": lambda e: "the server shuts down at its target",
    "server_shut_down": lambda e: "the server is down",
    "wal_wait": lambda e: f"waiting for the WAL at {_lsn(e)}",
    "language_unreadable": lambda e: (
        "the log is in a language that cannot be read here: its catalogue was not found"
    ),
    "time_zone_ambiguous": lambda e: (
        f"{e.text('abbreviation')} means several zones: give --log-timezone for the times"
    ),
}


def stop_words(stop: Stop | PredictedStop) -> str:
    """A stop point, predicted or real: `before the commit of transaction 732 (…), at 0/4046FB0`."""
    where = f", at {format_lsn(stop.lsn)}" if stop.lsn is not None else ""
    time = f" ({instant(stop.time)})" if stop.time else ""
    if stop.kind in ("commit", "abort"):
        return f"{stop.position} the {stop.kind} of transaction {stop.xid}{time}{where}"
    if stop.kind == "restore_point":
        return f'at restore point "{stop.name}"{time}{where}'
    if stop.kind == "lsn":
        return f"{stop.position} the record{where}"
    if stop.kind == "consistency":
        return f"as soon as the data are consistent{where}"
    return f"where the WAL ends{where}"


_THEN: Final = {
    Ending.PROMOTED: "then opens for writing",
    Ending.PAUSED: "then waits, paused",
    Ending.SHUT_DOWN: "then shuts down",
}


def forecast_words(forecast: Forecast) -> str:
    """The prediction in one line."""
    outcome = forecast.outcome
    if outcome.outcome == "unknown":
        return f"cannot be said: {outcome.reason}"
    if forecast.waits:
        return "goes on until somebody promotes: a standby"
    if outcome.outcome == "fails":
        where = f" at {format_lsn(outcome.replayed_lsn)}" if outcome.replayed_lsn else ""
        return f"fails{where}"
    assert outcome.stop is not None
    then = f", {_THEN[outcome.ending]}" if outcome.ending else ""
    timeline = f" as timeline {outcome.new_timeline}" if outcome.new_timeline else ""
    return f"stops {stop_words(outcome.stop)}{then}{timeline}"


def name_places(command: str | None, archives: Sequence[str]) -> str | None:
    """The command with the archive's own name in it, where that is known.

    >>> name_places("pitr-check --archive DIR --backup DIR", ["/backup/wal"])
    'pitr-check --archive /backup/wal --backup DIR'
    """
    if command is None or not archives:
        return command
    options = " ".join(f"--archive {shlex.quote(each)}" for each in archives)
    return command.replace("--archive DIR", options)
