"""Recovery events in plain words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from parsers.log.messages.event import Event
from parsers.log.recovery_events import FieldValue, RecoveryEvent
from parsers.lsn import format_lsn
from rules.live.attempt import Phase
from rules.live.forecast import Forecast
from rules.live.summary import ReachedStop, Summary
from rules.model.outcome import Ending
from rules.model.outcome import Stop as PredictedStop


def in_words(event: RecoveryEvent) -> str:
    """What the event means, in one line; the server's own message where no words are better."""
    words = _WORDS.get(event.name)
    if words is None:
        return f"{'' if event.severity in ('', 'LOG') else event.severity + ': '}{event.message}"
    return words(event)


_PHASES: Final = {  # where the state's own name leaves out that replay continues
    Phase.CONSISTENT: "replaying (the data are consistent)",
    Phase.READ_ONLY: "replaying (open for reading)",
}


def phase_words(phase: Phase) -> str:
    """Where a recovery stands."""
    return _PHASES.get(phase) or str(phase.value)


def instant(value: FieldValue) -> str:
    """An instant for a person: UTC, to the microsecond where it has them."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ") + " UTC"
    if value is None:
        return "a time whose zone is not known"
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
    Event.SERVER_STARTING: _starting,
    Event.INTERRUPTED: lambda e: (
        f"the data are of a server that ran until {instant(e.fields.get('log_time'))} or later"
    ),
    Event.RECOVERY_TARGET_SET: _target,
    Event.ARCHIVE_RECOVERY_STARTED: lambda e: "recovery goes to the end of the archive: no target",
    Event.STANDBY_MODE_ENTERED: lambda e: "standby mode: recovery continues until promotion",
    Event.BACKUP_RECOVERY_STARTED: lambda e: (
        f"backup_label is used: redo from {_lsn(e, 'redo_lsn')} on timeline {e.fields['timeline']}"
    ),
    Event.BACKUP_RECOVERY_DONE: lambda e: f"the end of the backup is passed: {_lsn(e, 'end_lsn')}",
    Event.FILE_RESTORED: lambda e: f"got {e.text('file')} from the archive",
    Event.FILE_MISSING: _missing,
    Event.REDO_STARTED: lambda e: f"replay begins at {_lsn(e)}",
    Event.REDO_PROGRESS: lambda e: f"replaying, at {_lsn(e)}",
    Event.CONSISTENCY_REACHED: lambda e: f"the data are consistent from {_lsn(e)} on",
    Event.READY_READ_ONLY: lambda e: "open for reading",
    Event.RECOVERY_STOPPING: lambda e: f"recovery stops {describe_stop(e)}",
    Event.PAUSED_AT_TARGET: lambda e: "paused at the target",
    Event.RECOVERY_PAUSED: lambda e: "paused",
    Event.REDO_DONE: lambda e: f"replay ends; the last record read begins at {_lsn(e)}",
    Event.LAST_TRANSACTION: lambda e: f"last transaction replayed: {instant(e.fields.get('time'))}",
    Event.TIMELINE_SELECTED: lambda e: f"the server continues as timeline {e.fields['timeline']}",
    Event.ARCHIVE_RECOVERY_COMPLETE: lambda e: "recovery is complete",
    Event.READY_READ_WRITE: lambda e: "open for reading and writing",
    Event.SHUTDOWN_AT_TARGET: lambda e: "the server shuts down at its target",
    Event.SERVER_SHUT_DOWN: lambda e: "the server is down",
    Event.WAL_WAIT: lambda e: f"waiting for the WAL at {_lsn(e)}",
    Event.LANGUAGE_UNREADABLE: lambda e: (
        "the log is in a language that cannot be read here: its catalogue was not found"
    ),
    Event.TIME_ZONE_AMBIGUOUS: lambda e: (
        f"{e.text('abbreviation')} means several zones: give --log-timezone for the times"
    ),
}


def stop_words(stop: ReachedStop | PredictedStop) -> str:
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
        return "continues until promotion: a standby"
    if outcome.outcome == "fails":
        where = f" at {format_lsn(outcome.replayed_lsn)}" if outcome.replayed_lsn else ""
        return f"fails{where}"
    assert outcome.stop is not None
    then = f", {_THEN[outcome.ending]}" if outcome.ending else ""
    timeline = f" as timeline {outcome.new_timeline}" if outcome.new_timeline else ""
    return f"stops {stop_words(outcome.stop)}{then}{timeline}"


Line = tuple[str, str]  # text, style


def verdict_line(summary: Summary) -> Line:
    """The one line at the end."""
    words = {
        "promoted": "PROMOTED", "paused": "PAUSED", "failed": "FAILED", "shut_down": "SHUT DOWN",
        "in_progress": "NOT FINISHED", "none": "NO RESTORE HERE", None: "UNREADABLE",
    }[summary.outcome]  # fmt: skip
    reached = {True: ", the target was reached", False: ", the target was NOT reached", None: ""}
    good = summary.verdict.status == 0
    style = "bold green" if good else "bold red"
    return f"verdict: {words}{reached[summary.reached_target]}", style
