"""Why a restore failed, and what to type: the row of `failures` that says most.

The FATAL alone often says less than the line above it: what restore_command answered, which record
did not read.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from parsers.log.messages.event import Event
from parsers.log.recovery_events import RecoveryEvent
from parsers.sentences import tr
from rules.live.attempt import Attempt, describe_low_setting, describe_target, raise_setting
from rules.live.failures import (
    CRASHED,
    ENDS,
    OTHERS,
    PAST_THE_FORK,
    ROWS,
    STORED_OTHERWISE,
    Row,
    names_in,
)
from rules.live.places import Places, is_compressed


class Reason(NamedTuple):
    """Why, and what to type next where that can be said."""

    cause: str
    remedy: str | None = None


def explain_failure(attempt: Attempt, places: Places) -> Reason:
    """Say why a start failed, as far as its log tells."""
    fatal = attempt.fatal
    if attempt.shutdown_mode == "immediate" and (fatal is None or fatal.name in _OF_A_CHILD):
        return _ORDERED
    if fatal is None:
        return _explain_death(attempt.killed)
    values = _values(attempt, fatal, places)
    for row in (*_above(attempt, fatal), *ROWS.get(fatal.name, ()), *OTHERS):
        if row.fits(attempt) and row.names <= values.keys():
            remedy = _filled(row.remedy, values) if row.remedy else None
            return Reason(_filled(row.cause, values), remedy)
    raise AssertionError("the last row fits any message")


def _filled(text: str, values: Mapping[str, Any]) -> str:
    return tr(text, **{name: values[name] for name in names_in(text)})


def describe_unfetched(event: RecoveryEvent) -> str:
    """How restore_command did not bring a segment."""
    if event.name == Event.FILE_MISSING:
        return tr("{file} was not in the archive", file=event.text("file"))
    if event.name == Event.RESTORE_LIED:
        return tr("restore_command ended with status 0 and brought no file")
    if event.name == Event.WAL_OTHER_SYSTEM:
        return tr("the archive holds the WAL of another cluster ({message})", message=event.message)
    said = event.message.strip()[:_SHOWN]
    return tr("restore_command could not bring it and said: {said}", said=said)


# -- the line above ------------------------------------------------------------------------------

# A child command that an immediate shutdown kills as well.
_OF_A_CHILD: Final = frozenset({Event.RESTORE_SIGNAL})
_WITHOUT_WAL: Final = frozenset({
    Event.CKPT_RECORD_MISSING, Event.CKPT_RECORD_INVALID_PANIC, Event.REDO_MISSING,
    Event.TARGET_NOT_REACHED, Event.BACKUP_END_MISSING, Event.CONSISTENCY_MISSING,
})  # fmt: skip
_FORKED: Final = frozenset({
    Event.TIMELINE_NOT_CHILD, Event.TIMELINE_LACKS_MINRECOVERY, Event.TIMELINE_UNKNOWN,
})  # fmt: skip
_SHOWN: Final = 200  # characters of a command's words
_ORDERED: Final = Reason(
    tr("somebody ordered an immediate shutdown, which ended recovery where it was"),
    "pg_ctl start",
)


def _above(attempt: Attempt, fatal: RecoveryEvent) -> Iterator[Row]:
    """What was said before the FATAL goes first: it is the reason of what the FATAL says."""
    end = attempt.wal_end
    if fatal.name in _WITHOUT_WAL or fatal.name == Event.RESTORE_WRONG_SIZE:
        yield from STORED_OTHERWISE
    if fatal.name in _WITHOUT_WAL and end is not None:
        yield from (row for row in ENDS if row.event == end.name)
        if not attempt.asks_archive:
            yield CRASHED
    if attempt.standby and fatal.name in _FORKED:
        yield PAST_THE_FORK


# -- the values ----------------------------------------------------------------------------------


def _values(attempt: Attempt, fatal: RecoveryEvent, places: Places) -> Mapping[str, Any]:
    """What rows may name; what the log does not have is left out."""
    missing, trouble = _unfetched_file(attempt), _trouble(attempt)
    known = {
        **fatal.fields,
        **_words_of("path", fatal), **_words_of("directory", fatal),
        **_low_setting(fatal, places),
        **_of_another_name(fatal, missing or _last_wanted(attempt), attempt, places),
        "severity": fatal.severity,
        "message": fatal.message,
        "detail": fatal.detail,
        "hint": fatal.hint,
        "target": _target(attempt),
        "zone": _of_another_zone(attempt),
        "history": _history(fatal.number("timeline")),
        "trouble": trouble,
        "said": tr("; {trouble}", trouble=trouble) if trouble else "",
        "lacking": tr("{file} was not in the archive", file=missing) if missing else None,
        "segment": missing or _last_wanted(attempt) or None,
        "wal_end": attempt.wal_end.message if attempt.wal_end is not None else None,
        "lacks": _lacks(attempt),
        "check": places.check(attempt),
        "archive": places.archive(attempt),
        "data_directory": places.data_directory,
        "settings": places.settings,
        "wal_directory": places.inside("pg_wal"),
        "recovery_signal": places.inside("recovery.signal"),
        "no_signal": "" if places.has_signal is False else None,
        "a_signal": "" if places.has_signal else None,
        "databases": ", ".join(f"base/{oid}" for oid in sorted(attempt.torn_databases, key=int)),
        "complaint": attempt.complaint.message if attempt.complaint is not None else None,
        "complained": attempt.complaint.text("setting") if attempt.complaint is not None else None,
    }  # fmt: skip
    return {name: value for name, value in known.items() if value is not None}


def _words_of(name: str, fatal: RecoveryEvent) -> dict[str, str]:
    """A path of the message as a word of a command."""
    path = fatal.text(name)
    return {f"{name}_word": shlex.quote(path)} if path is not None else {}


def _low_setting(fatal: RecoveryEvent, places: Places) -> dict[str, str]:
    if fatal.text("setting") is None or fatal.fields.get("primary_value") is None:
        return {}
    remedy = raise_setting(fatal, places.settings)
    return {"low_setting": describe_low_setting(fatal), "raise_setting": remedy}


def _target(attempt: Attempt) -> str:
    told = attempt.target_type not in (None, "none")
    return tr(" ({target})", target=describe_target(attempt)) if told else ""


def _of_another_zone(attempt: Attempt) -> str:
    """A time that had not come yet when the log was written."""
    target, now = attempt.target_value, attempt.last_at
    if not isinstance(target, datetime) or now is None or target <= now:
        return ""
    return tr("; the target is later than the log's own clock: was it meant in another time zone?")


def _history(timeline: int | None) -> str | None:
    return None if timeline is None else f"{timeline:08X}.history"


def _trouble(attempt: Attempt) -> str | None:
    """What restore_command said last, other than that the segment is not there."""
    event = attempt.unfetched
    return describe_unfetched(event) if event is not None and attempt.command_failed else None


def _unfetched_file(attempt: Attempt) -> str | None:
    event = attempt.unfetched
    return event.text("file") if event is not None and not attempt.command_failed else None


def _lacks(attempt: Attempt) -> str:
    """Of what the log says that ended the WAL, the last."""
    if attempt.unfetched is not None:
        return tr(": {unfetched}", unfetched=describe_unfetched(attempt.unfetched))
    if attempt.wal_end is None:
        return ""
    return tr(": it stopped reading with: {message}", message=attempt.wal_end.message)


def _last_wanted(attempt: Attempt) -> str:
    """The segment that recovery asked for last and did not get; "" where there is none."""
    wanted = [file for file in attempt.missing_files if not file.endswith(".history")]
    return wanted[-1] if wanted else ""


# -- files of another name -----------------------------------------------------------------------


def _of_another_name(
    fatal: RecoveryEvent, wanted: str, attempt: Attempt, places: Places
) -> dict[str, str]:
    """The segment that lies there compressed, unfinished or half copied."""
    file = (fatal.text("file") or "") if fatal.name == Event.RESTORE_WRONG_SIZE else wanted
    stored = places.stored.get(file)
    if stored is None:
        return {}
    how = "handed_over" if fatal.name == Event.RESTORE_WRONG_SIZE else "compressed"
    how = how if is_compressed(file, stored) else "unfinished"
    return {how: stored, "mend": places.mend(file, attempt)}


# -- a death without a message -------------------------------------------------------------------


def _explain_death(event: RecoveryEvent | None) -> Reason:
    if event is None:
        return Reason(tr("the startup process failed and the log does not say why"))
    number = event.number("signal")
    if number == 9:  # SIGKILL
        return Reason(
            tr("the startup process was killed (signal 9), perhaps by the kernel for memory"),
            "dmesg | grep -i 'killed process'",
        )
    if number is not None:
        return Reason(tr("the startup process died of signal {number}", number=number))
    return Reason(
        tr(
            "the startup process exited with status {status} without a message: "
            "restore_command ended with SIGTERM (status 143), or the server was told to stop",
            status=event.number("exit_code"),
        )
    )
