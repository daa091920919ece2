"""What will go wrong with a restore, before the server says so.

Pure: it judges the settings, the signal files and pg_control of a data directory. The parameters
are those of CheckRequiredParameterValues in src/backend/access/transam/xlogrecovery.c.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from parsers.pg_control import ControlFile

_TARGETS: Final = (
    "recovery_target", "recovery_target_lsn", "recovery_target_name", "recovery_target_time",
    "recovery_target_xid",
)  # fmt: skip
# What a hot standby must have at least as much of as the primary had, and the server's default.
_REQUIRED: Final = {
    "max_connections": 100,
    "max_worker_processes": 8,
    "max_wal_senders": 10,
    "max_prepared_transactions": 0,
    "max_locks_per_transaction": 64,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DataDirectory:
    """What a data directory says before, or while, its server recovers."""

    settings: Mapping[str, str]
    recovery_signal: bool
    standby_signal: bool
    backup_label: bool
    control: ControlFile | None  # None: could not be read
    complaint: str | None = None  # a syntax error in the configuration


def foresee(directory: DataDirectory) -> Iterator[str]:
    """Say, in one line each, what will fail or surprise."""
    if directory.complaint:
        yield f"the server will refuse its configuration: {directory.complaint}"
        return
    recovering = directory.recovery_signal or directory.standby_signal
    yield from _foresee_targets(directory.settings)
    alone = directory.recovery_signal and not directory.standby_signal
    if alone and not directory.settings.get("restore_command"):
        yield "recovery.signal is there and restore_command is not set: the server will refuse"
    if recovering:
        yield from _foresee_archiving(directory.settings)
        yield from _foresee_parameters(directory.settings, directory.control)
    elif directory.backup_label:
        yield (
            "backup_label is there and recovery.signal is not: the server would open with the "
            "WAL in pg_wal alone, and take nothing from the archive"
        )


def _foresee_targets(settings: Mapping[str, str]) -> Iterator[str]:
    given = [name for name in _TARGETS if settings.get(name)]
    if len(given) > 1:
        yield f"more than one target is set ({', '.join(given)}): the server will refuse"


def _foresee_archiving(settings: Mapping[str, str]) -> Iterator[str]:
    archive, restore = settings.get("archive_command", ""), settings.get("restore_command", "")
    if settings.get("archive_mode", "off") == "off" or not archive:
        return
    places = {word[: -len("/%f")] for word in restore.split() if word.endswith("/%f")}
    for place in places:
        if f"{place}/%f" in archive.replace("'", " ").replace('"', " "):
            yield f"once promoted, the server will archive into {place}, from which it is restored"


def _foresee_parameters(settings: Mapping[str, str], control: ControlFile | None) -> Iterator[str]:
    if control is None or settings.get("hot_standby", "on") == "off":
        return
    for name, default in _REQUIRED.items():
        needed: int = getattr(control, name)
        text = settings.get(name, str(default))
        if text.isdigit() and int(text) < needed:
            yield f"{name} = {text} is lower than on the primary ({needed}): recovery will stop"
