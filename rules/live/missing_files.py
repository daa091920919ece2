"""Files that restore_command did not find: which of these complaints are harmless.

Recovery asks for files that need not exist: the history of a timeline that nobody began, a segment
under each timeline that could hold it, the segment after the last. The same words in the log stand
for a gap. What tells them apart is what became of the restore, and what the archive holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from parsers.log.messages.event import Event
from parsers.log.recovery_events import RecoveryEvent
from rules.live.attempt import Attempt
from rules.live.outcomes import FAILED, IN_PROGRESS
from rules.live.state_machine import RestoreMachine
from rules.live.summary import summarize

_TIMELINE_DIGITS: Final = 8
_NO_WAL: Final = frozenset({
    Event.TARGET_NOT_REACHED, Event.CKPT_RECORD_MISSING, Event.REDO_MISSING,
    Event.BACKUP_END_MISSING, Event.CONSISTENCY_MISSING,
})  # fmt: skip

T = TypeVar("T")


def is_harmless(file: str, attempt: Attempt, archived: Collection[str] | None) -> bool | None:
    """Tell whether recovery did well without `file`. None: neither the log nor the archive tells.

    `archived` are the names of the archive's segments, None when it was not listed.
    """
    fatal = attempt.fatal
    if file.endswith(".history"):
        is_wanted = fatal is not None and fatal.name == Event.TIMELINE_MISSING
        timeline = fatal.number("timeline") if fatal is not None and is_wanted else None
        return timeline is None or f"{timeline:08X}.history" != file
    place = file[_TIMELINE_DIGITS:]
    if any(segment[_TIMELINE_DIGITS:] == place for segment in attempt.restored_segments):
        return True  # under another timeline's name, or at a later try
    if attempt.stop is not None and (fatal is None or fatal.name not in _NO_WAL):
        return True  # recovery stopped where it should, without it
    if fatal is not None and fatal.name in _NO_WAL:
        return False
    if archived is None or file in archived:
        return None
    if any(name.startswith(file[:_TIMELINE_DIGITS]) and name > file for name in archived):
        return False  # a gap: recovery ends here, and the WAL does not
    return _ends_with_the_archive(attempt)


def _ends_with_the_archive(attempt: Attempt) -> bool | None:
    """A restore to the end of WAL ends there; one with a target may have to go further."""
    only = RestoreMachine()
    only.current = attempt
    summary = summarize(only)
    if summary.outcome == FAILED:
        return False
    if summary.target.type == "none" or summary.reached_target:
        return True
    return None if summary.outcome == IN_PROGRESS else summary.reached_target


def label_missing(items: Sequence[T], archived: Collection[str] | None) -> list[T]:
    """Say of each missing file among what a finished log gave whether it is harmless."""
    restore, asked = RestoreMachine(), {}
    for position, item in enumerate(items):
        if isinstance(item, RecoveryEvent):
            restore.apply(item)
            if item.name == Event.FILE_MISSING:
                asked[position] = restore.current
    return [
        _labelled(item, is_harmless(item.text("file") or "", asked[position], archived))
        if isinstance(item, RecoveryEvent) and position in asked
        else item
        for position, item in enumerate(items)
    ]


def label_now(items: Iterable[T], attempt: Attempt, archived: Collection[str] | None) -> list[T]:
    """The same while the restore runs: by what is known now."""
    return [
        _labelled(item, is_harmless(item.text("file") or "", attempt, archived))
        if isinstance(item, RecoveryEvent) and item.name == Event.FILE_MISSING
        else item
        for item in items
    ]


def _labelled(event: T, harmless: bool | None) -> T:
    assert isinstance(event, RecoveryEvent)
    return replace(event, fields={**event.fields, "harmless": harmless})
