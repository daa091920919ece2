"""Recovery events in plain words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from parsers.log.messages.event import Event
from parsers.log.recovery_events import FieldValue, RecoveryEvent
from parsers.lsn import format_lsn
from parsers.sentences import tr
from rules.live.forecast import Forecast
from rules.live.phase import Phase
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
    Phase.CONSISTENT: tr("replaying (the data are consistent)"),
    Phase.READ_ONLY: tr("replaying (open for reading)"),
}
_POSITIONS: Final = {"before": tr("before"), "after": tr("after"), "at": tr("at")}


def phase_words(phase: Phase) -> str:
    """Where a recovery stands."""
    return _PHASES.get(phase) or tr(phase.value)


def instant(value: FieldValue) -> str:
    """An instant for a person: UTC, to the microsecond where it has them."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ") + " UTC"
    if value is None:
        return tr("a time whose zone is not known")
    return str(value)


def _lsn(event: RecoveryEvent, name: str = "lsn") -> str:
    value = event.lsn(name)
    return tr("an unknown LSN") if value is None else format_lsn(value)


def _starting(event: RecoveryEvent) -> str:
    version = event.text("version") or ""
    return tr("the server starts: {version}", version=version.split(" on ", 1)[0])


def _target(event: RecoveryEvent) -> str:
    kind = event.text("target_type") or ""
    if kind == "immediate":
        return tr("recovery goes to the end of the backup, no further")
    value = event.fields.get(kind)
    shown = format_lsn(value) if kind == "lsn" and isinstance(value, int) else instant(value)
    return tr("recovery goes to the target: {kind} {value}", kind=kind, value=shown)


def describe_stop(event: RecoveryEvent) -> str:
    """The stop point: `before the commit of transaction 732 (2025-07-10 19:36:58 UTC)`."""
    kind, time = event.text("kind"), instant(event.fields.get("time"))
    position = _POSITIONS.get(event.text("position") or "")
    if kind in ("commit", "abort"):
        return tr(
            "{position} the {kind} of transaction {xid} ({time})",
            position=position, kind=kind, xid=event.fields["xid"], time=time,
        )  # fmt: skip
    if kind == "restore_point":
        return tr('at restore point "{name}" ({time})', name=event.text("name"), time=time)
    if kind == "lsn":
        return tr("{position} the record at {lsn}", position=position, lsn=_lsn(event))
    return tr("as soon as the data were consistent")


def _missing(event: RecoveryEvent) -> str:
    file, harmless = event.text("file") or "", event.fields.get("harmless")
    if file.endswith(".history") and harmless is not False:
        return tr("the archive has no {file}: no later timeline, harmless", file=file)
    if harmless is None:
        return tr("the archive has no {file}", file=file)
    if harmless:
        return tr("the archive has no {file}: harmless", file=file)
    return tr("the archive has no {file}: recovery needed it", file=file)


_Words = Callable[[RecoveryEvent], str]
_WORDS: Final[dict[str, _Words]] = {
    Event.SERVER_STARTING: _starting,
    Event.INTERRUPTED: lambda e: tr(
        "the data are of a server that ran until {time} or later",
        time=instant(e.fields.get("log_time")),
    ),
    Event.RECOVERY_TARGET_SET: _target,
    Event.ARCHIVE_RECOVERY_STARTED: lambda e: tr(
        "recovery goes to the end of the archive: no target"
    ),
    Event.STANDBY_MODE_ENTERED: lambda e: tr("standby mode: recovery continues until promotion"),
    Event.BACKUP_RECOVERY_STARTED: lambda e: tr(
        "backup_label is used: redo from {lsn} on timeline {timeline}",
        lsn=_lsn(e, "redo_lsn"),
        timeline=e.fields["timeline"],
    ),
    Event.BACKUP_RECOVERY_DONE: lambda e: tr(
        "the end of the backup is passed: {lsn}", lsn=_lsn(e, "end_lsn")
    ),
    Event.FILE_RESTORED: lambda e: tr("got {file} from the archive", file=e.text("file")),
    Event.FILE_MISSING: _missing,
    Event.REDO_STARTED: lambda e: tr("replay begins at {lsn}", lsn=_lsn(e)),
    Event.REDO_PROGRESS: lambda e: tr("replaying, at {lsn}", lsn=_lsn(e)),
    Event.CONSISTENCY_REACHED: lambda e: tr("the data are consistent from {lsn} on", lsn=_lsn(e)),
    Event.READY_READ_ONLY: lambda e: tr("open for reading"),
    Event.RECOVERY_STOPPING: lambda e: tr("recovery stops {stop}", stop=describe_stop(e)),
    Event.PAUSED_AT_TARGET: lambda e: tr("paused at the target"),
    Event.RECOVERY_PAUSED: lambda e: tr("paused"),
    Event.REDO_DONE: lambda e: tr("replay ends; the last record read begins at {lsn}", lsn=_lsn(e)),
    Event.LAST_TRANSACTION: lambda e: tr(
        "last transaction replayed: {time}", time=instant(e.fields.get("time"))
    ),
    Event.TIMELINE_SELECTED: lambda e: tr(
        "the server continues as timeline {timeline}", timeline=e.fields["timeline"]
    ),
    Event.ARCHIVE_RECOVERY_COMPLETE: lambda e: tr("recovery is complete"),
    Event.READY_READ_WRITE: lambda e: tr("open for reading and writing"),
    Event.SHUTDOWN_AT_TARGET: lambda e: tr("the server shuts down at its target"),
    Event.SERVER_SHUT_DOWN: lambda e: tr("the server is down"),
    Event.WAL_WAIT: lambda e: tr("waiting for the WAL at {lsn}", lsn=_lsn(e)),
    Event.LANGUAGE_UNREADABLE: lambda e: tr(
        "the log is in a language that cannot be read here: its catalogue was not found"
    ),
    Event.TIME_ZONE_AMBIGUOUS: lambda e: tr(
        "{abbreviation} means several zones: give --log-timezone for the times",
        abbreviation=e.text("abbreviation"),
    ),
}


def stop_words(stop: ReachedStop | PredictedStop) -> str:
    """A stop point, predicted or real: `before the commit of transaction 732 (…), at 0/4046FB0`."""
    where = tr(", at {lsn}", lsn=format_lsn(stop.lsn)) if stop.lsn is not None else ""
    time = f" ({instant(stop.time)})" if stop.time else ""
    position = _POSITIONS.get(stop.position or "")
    if stop.kind in ("commit", "abort"):
        return tr(
            "{position} the {kind} of transaction {xid}{time}{where}",
            position=position, kind=stop.kind, xid=stop.xid, time=time, where=where,
        )  # fmt: skip
    if stop.kind == "restore_point":
        return tr('at restore point "{name}"{time}{where}', name=stop.name, time=time, where=where)
    if stop.kind == "lsn":
        return tr("{position} the record{where}", position=position, where=where)
    if stop.kind == "consistency":
        return tr("as soon as the data are consistent{where}", where=where)
    return tr("where the WAL ends{where}", where=where)


_THEN: Final = {
    Ending.PROMOTED: tr("then opens for writing"),
    Ending.PAUSED: tr("then waits, paused"),
    Ending.SHUT_DOWN: tr("then shuts down"),
}


def forecast_words(forecast: Forecast) -> str:
    """The prediction in one line."""
    outcome = forecast.outcome
    if outcome.outcome == "unknown":
        return tr("cannot be said: {reason}", reason=outcome.reason)
    if forecast.waits:
        return tr("continues until promotion: a standby")
    if outcome.outcome == "fails":
        if outcome.replayed_lsn:
            return tr("fails at {lsn}", lsn=format_lsn(outcome.replayed_lsn))
        return tr("fails")
    assert outcome.stop is not None
    then: str = tr(", {then}", then=_THEN[outcome.ending]) if outcome.ending else ""
    if outcome.new_timeline:
        then = tr("{then} as timeline {timeline}", then=then, timeline=outcome.new_timeline)
    return tr("stops {stop}{then}", stop=stop_words(outcome.stop), then=then)


Line = tuple[str, str]  # text, style


def verdict_line(summary: Summary) -> Line:
    """The one line at the end."""
    words = {
        "promoted": tr("PROMOTED"), "paused": tr("PAUSED"), "failed": tr("FAILED"),
        "shut_down": tr("SHUT DOWN"), "in_progress": tr("NOT FINISHED"),
        "none": tr("NO RESTORE HERE"), None: tr("UNREADABLE"),
    }[summary.outcome]  # fmt: skip
    reached = {
        True: tr(", the target was reached"), False: tr(", the target was NOT reached"), None: "",
    }[summary.reached_target]  # fmt: skip
    style = "bold green" if summary.verdict.status == 0 else "bold red"
    return tr("verdict: {words}{reached}", words=words, reached=reached), style
