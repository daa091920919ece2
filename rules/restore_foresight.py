"""What will go wrong with a restore, before the server says so.

Pure: it judges the settings, the signal files, backup_label and pg_control of a data directory;
what the WAL itself holds is for `rules.restore_forecast`. The parameters are those of
CheckRequiredParameterValues, the refusals those of validateRecoveryParameters and
read_backup_label in src/backend/access/transam/xlogrecovery.c, and of checkDataDir in miscinit.c.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from parsers.backup_label import parse_backup_label
from parsers.errors import ParseError
from parsers.pg_control import ControlFile
from rules.goal import read_goal
from rules.restore_settings import PARAMETER_DEFAULTS, TARGET_SETTINGS, is_off, target_in

_AUTO_CONF: Final = "postgresql.auto.conf"
_OTHERS_BITS: Final = 0o027  # neither write for the group nor anything for others


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """Something that a restore will run into: the cause, in one line, and what to do about it."""

    fails: bool  # the restore will fail; else it will surprise
    text: str
    next_command: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataDirectory:
    """What a data directory says before, or while, its server recovers."""

    settings: Mapping[str, str]
    recovery_signal: bool
    standby_signal: bool
    backup_label: bool
    control: ControlFile | None  # None: could not be read
    complaint: str | None = None  # a syntax error in the configuration
    label: bytes | None = None  # what is in backup_label; None: could not be read
    mode: int | None = None  # permission bits of the directory; None: not looked at
    recovery_conf: bool = False  # a recovery.conf lies there
    settings_known: bool = True  # False: postgresql.conf lies elsewhere, and was not read
    running: bool = False  # a server of this directory runs: it has passed its first refusals
    absent_places: tuple[str, ...] = ()  # where restore_command copies from, and nothing is
    find_zone: Callable[[str], tzinfo | None] | None = None


def foresee(directory: DataDirectory) -> Iterator[Foreseen]:
    """Say, one by one, what will fail or surprise."""
    if directory.complaint:
        yield _refusal(
            f"the server will refuse its configuration: {directory.complaint}",
            "correct that line, then start the server",
        )
        return
    if not directory.running:
        yield from _foresee_refusals(directory)
    recovering = directory.recovery_signal or directory.standby_signal
    yield from _foresee_targets(directory)
    if recovering:
        yield from _foresee_restore_command(directory)
        yield from _foresee_archiving(directory.settings)
        if directory.settings_known:
            yield from _foresee_parameters(directory.settings, directory.control)
        yield from _foresee_action(directory.settings)
    elif directory.backup_label:
        yield _refusal(
            "backup_label is there and recovery.signal is not: the server would open with the "
            "WAL in pg_wal alone, and take nothing from the archive",
            "touch recovery.signal in the data directory, before the first start",
        )


def _refusal(text: str, next_command: str | None = None) -> Foreseen:
    return Foreseen(fails=True, text=text, next_command=next_command)


# -- before the first record ----------------------------------------------------------------------


def _foresee_refusals(directory: DataDirectory) -> Iterator[Foreseen]:
    mode = directory.mode
    if mode is not None and mode & _OTHERS_BITS:
        yield _refusal(
            f"the data directory has mode {mode:04o}: the server will refuse it",
            "chmod 0700 the data directory",
        )
    if directory.recovery_conf:
        yield _refusal(
            "recovery.conf is there: the server refuses it since release 12",
            f"move its settings to {_AUTO_CONF}, delete it, touch recovery.signal",
        )
    if directory.label is not None:
        yield from _foresee_label(directory.label)


def _foresee_label(label: bytes) -> Iterator[Foreseen]:
    try:
        read = parse_backup_label(label)
    except ParseError as error:
        yield _refusal(
            f"the server will refuse backup_label: {error}", "copy the backup again, unchanged"
        )
        return
    if read.incremental_from_lsn is not None:
        yield _refusal(
            "this is an incremental backup, which the server will refuse",
            "pg_combinebackup FULL INCREMENTAL -o DIR",
        )


def _foresee_targets(directory: DataDirectory) -> Iterator[Foreseen]:
    given = [name for name in TARGET_SETTINGS if directory.settings.get(name)]
    if len(given) > 1:
        yield _refusal(
            f"more than one target is set ({', '.join(sorted(given))}): the server will refuse",
            f"leave one of them in {_AUTO_CONF}",
        )
        return
    try:
        read_goal(target_in(directory.settings), find_zone=directory.find_zone)
    except ParseError as error:
        setting = given[0] if given else "recovery_target_timeline"
        yield _refusal(
            f"the recovery target cannot be read: {error.message}; the server refuses it, or"
            " takes it for another",
            f"correct {setting} in {_AUTO_CONF}",
        )


# -- while it recovers ----------------------------------------------------------------------------


def _foresee_restore_command(directory: DataDirectory) -> Iterator[Foreseen]:
    command = directory.settings.get("restore_command", "")
    if not command:
        if not directory.standby_signal and directory.settings_known:
            yield _refusal(
                "recovery.signal is there and restore_command is not set: the server will refuse",
                f"echo \"restore_command = 'cp /archive/%f %p'\" >> {_AUTO_CONF}",
            )
        return
    unused = [word for word in ("%f", "%p") if word not in command]
    if unused and "%" in command:
        yield _refusal(
            f"restore_command does not use {' or '.join(unused)}: it cannot bring the file asked"
            " for to its place",
            f"correct restore_command in {_AUTO_CONF}",
        )
    for place in directory.absent_places:
        yield _refusal(
            f"restore_command copies from {place}, and there is no such directory here: the"
            " server will take that for the end of the WAL",
            f"mount it, or correct restore_command in {_AUTO_CONF}",
        )


def _foresee_archiving(settings: Mapping[str, str]) -> Iterator[Foreseen]:
    archive, restore = settings.get("archive_command", ""), settings.get("restore_command", "")
    if is_off(settings.get("archive_mode", "off")) or not archive:
        return
    places = {word[: -len("/%f")] for word in restore.split() if word.endswith("/%f")}
    for place in places:
        if f"{place}/%f" in archive.replace("'", " ").replace('"', " "):
            yield Foreseen(
                fails=False,
                text=f"once promoted, the server will archive into {place}, from which it is"
                " restored",
                next_command=f"echo \"archive_mode = 'off'\" >> {_AUTO_CONF}, before the start",
            )


def _foresee_parameters(
    settings: Mapping[str, str], control: ControlFile | None
) -> Iterator[Foreseen]:
    if control is None or is_off(settings.get("hot_standby", "on")):
        return
    for name, default in PARAMETER_DEFAULTS.items():
        needed: int = getattr(control, name)
        text = settings.get(name, str(default))
        if text.isdigit() and int(text) < needed:
            yield _refusal(
                f"{name} = {text} is lower than on the primary ({needed}): recovery will stop",
                f'echo "{name} = {needed}" >> {_AUTO_CONF}, then start the server',
            )


def _foresee_action(settings: Mapping[str, str]) -> Iterator[Foreseen]:
    """A pause takes a hot standby: without one, recovery_target_action = pause shuts down."""
    target = target_in(settings)
    if target.type == "none" or target.action != "pause":
        return
    if is_off(settings.get("hot_standby", "on")):
        yield Foreseen(
            fails=False,
            text="hot_standby is off: at its target the server will shut down, not pause",
            next_command="set recovery_target_action to promote or shutdown, or hot_standby = on",
        )
