"""Where the evidence of one restore lies: its log, its settings, its process, its archive.

From the data directory alone: postmaster.pid gives the process, its open files or the collector's
settings give the log, the configuration files give the target, the prefix and the zone.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from datetime import tzinfo
from pathlib import Path
from typing import Final

import psutil

from agent.errors import CannotCheck
from agent.store.local import read_file
from agent.store.urls import is_remote
from agent.watch.logs import find_log
from agent.watch.role import choose_role
from agent.watch.settings import read_settings
from agent.zones import find_zone
from parsers.sentences import tr
from parsers.values import dataclass

_STATUS: Final = 7  # LOCK_FILE_LINE_PM_STATUS, from 0: what postmaster.pid says of connections
_ACCEPTING: Final = ("ready", "standby")


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreSources:
    """What was found. `None`: not there, or not yet."""

    log: Path | None
    prefix: str | None
    zone: tzinfo | None
    settings: Mapping[str, str]
    postmaster_pid: int | None
    dsn: str | None
    accepts: bool = True  # connections: to ask before it does is a FATAL line in its log
    archives: tuple[str, ...]  # where restore_command shows that it copies from
    absent_places: tuple[str, ...] = ()  # and there is nothing
    complaint: str | None = None  # a syntax error in the configuration files
    settings_known: bool = True  # False: postgresql.conf lies elsewhere, and no server runs to say
    absent_files: tuple[str, ...] = ()  # of the configuration: without them it does not start
    elsewhere: str | None = None  # the data_directory of the configuration, where that is another


NOTHING: Final = RestoreSources(
    log=None, prefix=None, zone=None, settings={}, postmaster_pid=None, dsn=None, archives=()
)


def find_sources(pgdata: Path | None) -> RestoreSources:
    """Look at the data directory once. Raises CannotCheck when it is not one."""
    if pgdata is None:
        return NOTHING
    _check_directory(pgdata)
    postmaster = _postmaster(pgdata)
    command_line = _command_line(postmaster)
    found = read_settings(pgdata, command_line)
    settings = found.values
    archives, absent = _places(pgdata, settings.get("restore_command", ""))
    return RestoreSources(
        log=find_log(pgdata, settings, postmaster, found.main),
        prefix=settings.get("log_line_prefix"),
        zone=find_zone(settings["log_timezone"]) if settings.get("log_timezone") else None,
        settings=settings,
        postmaster_pid=postmaster.pid if postmaster else None,
        dsn=_dsn(pgdata),
        accepts=_accepts(pgdata),
        archives=archives,
        absent_places=absent,
        complaint=found.complaint,
        settings_known=found.complete,
        absent_files=found.absent,
        elsewhere=found.elsewhere,
    )


def _check_directory(pgdata: Path) -> None:
    try:
        if not (pgdata / "PG_VERSION").is_file():
            missing = (
                tr("no PG_VERSION in it") if pgdata.is_dir() else tr("there is no such directory")
            )
            raise CannotCheck(
                tr("{path} is not a data directory: {missing}", path=pgdata, missing=missing)
            )
        next(pgdata.iterdir(), None)
    except PermissionError:
        raise CannotCheck(
            tr(
                "{path} cannot be read: run this as its owner (sudo -u postgres pitr-watch …)",
                path=pgdata,
            )
        ) from None


def _postmaster(pgdata: Path) -> psutil.Process | None:
    """The running postmaster of this directory."""
    try:
        first = read_file(pgdata / "postmaster.pid").decode(errors="replace").split("\n", 1)[0]
        process = psutil.Process(int(first))
        return process if process.name().startswith(("postgres", "postmaster")) else None
    except (OSError, ValueError, psutil.Error):
        return None


def _command_line(process: psutil.Process | None) -> list[str]:
    try:
        return process.cmdline() if process else []
    except psutil.Error:
        return []


# -- the server and the archive -------------------------------------------------------------------


def _dsn(pgdata: Path) -> str | None:
    """How to reach the server: postmaster.pid's port and socket directory, a role that it has."""
    try:
        lines = read_file(pgdata / "postmaster.pid").decode(errors="replace").split("\n")
        owner = pgdata.owner()
    except (OSError, KeyError):
        return None
    if len(lines) < 6 or not lines[3].isdigit():
        return None
    host = lines[4].strip() or lines[5].strip()
    if host in ("", "*", "0.0.0.0", "::"):
        host = "localhost"
    role = choose_role(pgdata, owner)
    return f"host={_quote(host)} port={lines[3]} user={_quote(role)} dbname=postgres"


def _accepts(pgdata: Path) -> bool:
    try:
        lines = read_file(pgdata / "postmaster.pid").decode(errors="replace").split("\n")
    except OSError:
        return False
    return len(lines) > _STATUS and lines[_STATUS].strip() in _ACCEPTING


def _quote(value: str) -> str:
    """As libpq reads a value that may hold spaces."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _places(pgdata: Path, restore_command: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The directories that restore_command copies from, as far as it shows; else the absent ones.

    The server runs it in the data directory. A place that may not be looked at is left out, and so
    is an object store: the server's account for it need not be ours.
    """
    there: list[str] = []
    absent: list[str] = []
    for place in dict.fromkeys(_places_in(restore_command)):
        if is_remote(place):
            continue
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
