"""The FATAL messages of recovery, word for word as each major writes them.

Follows ereport() calls in src/backend/access/transam: xlog.c to 14, xlogrecovery.c from 15.
"""

from __future__ import annotations

from typing import Final

from parsers.errors import UNQUOTED
from parsers.files.pg_control import ControlFile
from parsers.lsn import format_lsn

TARGET_NOT_REACHED: Final = "recovery ended before configured recovery target was reached"
STOP_BEFORE_CONSISTENCY: Final = "requested recovery stop point is before consistent recovery point"
BACKUP_END_MISSING: Final = "WAL ends before end of online backup"
CONSISTENCY_MISSING: Final = "WAL ends before consistent recovery point"
BACKUP_CANCELED: Final = "online backup was canceled, recovery cannot continue"  # a PANIC
LABEL_INCONSISTENT: Final = "backup_label contains data inconsistent with control file"
INCREMENTAL: Final = "this is an incremental backup, not a data directory"
PREPARED_FULL: Final = "maximum number of prepared transactions reached"
PARAMETERS_SHORT: Final = "recovery aborted because of insufficient parameter settings"

_PANICS: Final = (BACKUP_CANCELED, "unexpected timeline ID ", "unexpected previous timeline ID ")
_OF_NO_LABEL: Final = "could not locate a valid checkpoint record"
_OF_EITHER: Final = "could not find redo location "  # FATAL with a backup_label


def is_panic(fatal: str, major: int, *, unlabelled: bool) -> bool:
    """Whether the server says it as a PANIC. Without a backup_label, 19 came down to FATAL."""
    if fatal.startswith(_PANICS):
        return True
    return unlabelled and major < 19 and fatal.startswith((_OF_NO_LABEL, _OF_EITHER))


def unquoted(predicted: str | None, logged: str | None) -> str | None:
    """The logged message, less what it copies from a file where the prediction leaves that out."""
    if predicted is None or logged is None or not predicted.endswith(UNQUOTED):
        return logged
    return predicted if logged.startswith(predicted.removesuffix(UNQUOTED)) else logged


def checkpoint_missing(major: int, lsn: int) -> str:
    """The checkpoint that backup_label names cannot be read."""
    text = "could not locate required checkpoint record"
    return f"{text} at {_printed(major, lsn)}" if major >= 17 else text


def checkpoint_lost(major: int, lsn: int) -> str:
    """Without backup_label, the checkpoint of pg_control cannot be read: a PANIC to 18."""
    text = "could not locate a valid checkpoint record"
    return f"{text} at {_printed(major, lsn)}" if major >= 17 else text


def redo_missing(major: int, redo_lsn: int, checkpoint_lsn: int) -> str:
    """The checkpoint can be read, the record where replay should begin cannot."""
    if major >= 17:
        return (
            f"could not find redo location {_printed(major, redo_lsn)}"
            f" referenced by checkpoint record at {_printed(major, checkpoint_lsn)}"
        )
    return "could not find redo location referenced by checkpoint record"


def redo_unexpected(major: int, lsn: int) -> str:
    """From 17 on an online checkpoint's redo point is a record of its own kind."""
    return f"unexpected record type found at redo point {_printed(major, lsn)}"


def timeline_missing(timeline: int) -> str:
    return f"recovery target timeline {timeline} does not exist"


def timeline_not_child(timeline: int) -> str:
    return f"requested timeline {timeline} is not a child of this server's history"


def timeline_unknown(timeline: int) -> str:
    return f"requested timeline {timeline} is not in this server's history"


def timeline_lacks_minimum(major: int, timeline: int, lsn: int, minimum_timeline: int) -> str:
    return (
        f"requested timeline {timeline} does not contain minimum recovery point"
        f" {_printed(major, lsn)} on timeline {minimum_timeline}"
    )


def wrong_size(segment: str, size_bytes: int, expected_bytes: int) -> str:
    return f'archive file "{segment}" has wrong size: {size_bytes} instead of {expected_bytes}'


def parameter_short(major: int, name: str, value: int, needed: int) -> str:
    """A setting is lower than on the server that wrote the WAL, and hot_standby is on."""
    if major >= 14:
        return PARAMETERS_SHORT
    return (
        f"hot standby is not possible because {name} = {value} is a lower setting than on the"
        f" master server (its value was {needed})"
    )


def wal_minimal(major: int) -> str:
    """14 and later refuse; 13 only does with hot_standby on."""
    if major >= 17:
        return 'WAL was generated with "wal_level=minimal", cannot continue recovering'
    if major >= 14:
        return "WAL was generated with wal_level=minimal, cannot continue recovering"
    return (
        'hot standby is not possible because wal_level was not set to "replica" or higher on the'
        " master server"
    )


def segment_removed(segment: str) -> str:
    """A prepared transaction's PREPARE is to be read from a file that pg_wal does not have."""
    return f"requested WAL segment pg_wal/{segment} has already been removed"


def location_absent(location: str) -> str:
    return f'directory "{location}" does not exist'


def location_no_directory(location: str, control: ControlFile | None) -> str | None:
    """A file lies where a tablespace's directory should; None without a catalogue version."""
    if control is None or control.major is None:
        return None
    version = f"PG_{control.major}_{control.catalog_version}"
    return f'could not stat directory "{location}/{version}": Not a directory'


def location_not_owned(location: str) -> str:
    return f'could not set permissions on directory "{location}": Operation not permitted'


def directory_not_empty(path: str) -> str:
    return f'could not remove directory "{path}": Directory not empty'


def unexpected_timeline(timeline: int, before: int) -> str:
    """A PANIC: a record switches to a timeline that the target's history does not have."""
    return f"unexpected timeline ID {timeline} (after {before}) in checkpoint record"


def unexpected_previous_timeline(previous: int, current: int) -> str:
    """A PANIC: a record says that it follows another timeline than the one being replayed."""
    return (
        f"unexpected previous timeline ID {previous} (current timeline ID {current})"
        " in checkpoint record"
    )


def _printed(major: int, lsn: int) -> str:
    """An LSN in a message: from 19 on its low half is padded."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:08X}" if major >= 19 else format_lsn(lsn)
