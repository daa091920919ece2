"""Where the evidence of one restore lies: its log, its settings, its process, its archive.

From the data directory alone: postmaster.pid gives the process, its open files or the collector's
settings give the log, the configuration files give the target, the prefix and the zone.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import psutil

from agent.cli.entry import CannotCheck
from agent.watch.settings import read_settings

_TRUE: Final = frozenset({"on", "true", "yes", "1", "t", "y"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What was found. `None`: not there, or not yet."""

    log: Path | None
    prefix: str | None
    zone: tzinfo | None
    settings: Mapping[str, str]
    postmaster_pid: int | None
    dsn: str | None
    archives: tuple[str, ...]  # where restore_command shows that it copies from
    absent_places: tuple[str, ...] = ()  # and there is nothing
    complaint: str | None = None  # a syntax error in the configuration files
    settings_known: bool = True  # False: postgresql.conf lies elsewhere, and no server runs to say


NOTHING: Final = Sources(
    log=None, prefix=None, zone=None, settings={}, postmaster_pid=None, dsn=None, archives=()
)


def find_sources(pgdata: Path | None) -> Sources:
    """Look at the data directory once. Raises CannotCheck when it is none."""
    if pgdata is None:
        return NOTHING
    _check_directory(pgdata)
    postmaster = _postmaster(pgdata)
    command_line = _command_line(postmaster)
    found = read_settings(pgdata, command_line)
    settings = found.values
    archives, absent = _places(pgdata, settings.get("restore_command", ""))
    return Sources(
        log=_log(pgdata, settings, postmaster),
        prefix=settings.get("log_line_prefix"),
        zone=_zone(settings.get("log_timezone")),
        settings=settings,
        postmaster_pid=postmaster.pid if postmaster else None,
        dsn=_dsn(pgdata),
        archives=archives,
        absent_places=absent,
        complaint=found.complaint,
        settings_known=found.complete,
    )


def _check_directory(pgdata: Path) -> None:
    try:
        if not (pgdata / "PG_VERSION").is_file():
            missing = "no PG_VERSION in it" if pgdata.is_dir() else "there is no such directory"
            raise CannotCheck(f"{pgdata} is not a data directory: {missing}")
        next(pgdata.iterdir(), None)
    except PermissionError:
        raise CannotCheck(
            f"{pgdata} cannot be read: run this as its owner (sudo -u postgres pitr-watch …)"
        ) from None


def _postmaster(pgdata: Path) -> psutil.Process | None:
    """The running postmaster of this directory."""
    try:
        first = (pgdata / "postmaster.pid").read_text(errors="replace").split("\n", 1)[0]
        process = psutil.Process(int(first))
        return process if process.name().startswith(("postgres", "postmaster")) else None
    except (OSError, ValueError, psutil.Error):
        return None


def _command_line(process: psutil.Process | None) -> list[str]:
    try:
        return process.cmdline() if process else []
    except psutil.Error:
        return []


# -- the log --------------------------------------------------------------------------------------


def _log(
    pgdata: Path, settings: Mapping[str, str], postmaster: psutil.Process | None
) -> Path | None:
    if settings.get("logging_collector", "off").lower() in _TRUE:
        directory = pgdata / settings.get("log_directory", "log")
        return directory if directory.is_dir() else None
    return _open_file(postmaster) if postmaster else None


def _open_file(process: psutil.Process) -> Path | None:
    """The file that the postmaster's stderr goes to."""
    for descriptor in ("2", "1"):
        link = Path("/proc", str(process.pid), "fd", descriptor)
        try:
            target = link.readlink()
        except OSError:
            continue
        if target.is_file():
            return target
    return None


def _zone(name: str | None) -> tzinfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (LookupError, ValueError, OSError):
        return None


# -- the server and the archive -------------------------------------------------------------------


def _dsn(pgdata: Path) -> str | None:
    """How to reach the server: postmaster.pid's port and socket directory, its owner's name."""
    try:
        lines = (pgdata / "postmaster.pid").read_text(errors="replace").split("\n")
        owner = pgdata.owner()
    except (OSError, KeyError):
        return None
    if len(lines) < 6 or not lines[3].isdigit():
        return None
    host = lines[4].strip() or lines[5].strip()
    if host in ("", "*", "0.0.0.0", "::"):
        host = "localhost"
    user = owner if owner != "nobody" else "postgres"
    return f"host={host} port={lines[3]} user={user} dbname=postgres"


def _places(pgdata: Path, restore_command: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The directories that restore_command copies from, as far as it shows; else the absent ones.

    The server runs it in the data directory. A place that may not be looked at is left out.
    """
    there: list[str] = []
    absent: list[str] = []
    for place in dict.fromkeys(_places_in(restore_command)):
        path = pgdata / place
        try:
            (there if path.is_dir() else absent).append(str(path))
        except PermissionError:
            continue
    return tuple(there), tuple(absent) if not there else ()


def _places_in(command: str) -> Iterator[str]:
    """`/archive` of `cp /archive/%f %p`, and of `fetch-wal --archive /archive %f %p`."""
    words = shlex.shlex(command, posix=True, punctuation_chars=True)
    words.whitespace_split = True
    before = ""
    try:
        for word in words:
            if "/%f" in word:
                place = word[: word.index("/%f")].rpartition("=")[2]
                if place and not set("%$`:") & set(place):
                    yield place
            elif before == "--archive":
                yield word
            elif word.startswith("--archive="):
                yield word.removeprefix("--archive=")
            before = word
    except ValueError:
        return  # a quote that is not closed: the shell will say so
