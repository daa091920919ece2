"""Where the evidence of one restore lies: its log, its settings, its process, its archive.

From the data directory alone: postmaster.pid gives the process, its open files or the collector's
settings give the log, the configuration files give the target, the prefix and the zone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import psutil

from agent.cli.entry import CannotCheck
from agent.watch.settings import read_settings

_TRUE: Final = frozenset({"on", "true", "yes", "1", "t", "y"})
_ARCHIVE: Final = re.compile(r"""(?P<directory>/[^\s'"%|;&<>]*?)/%f""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What was found. `None`: not there, or not yet."""

    log: Path | None
    prefix: str | None
    zone: tzinfo | None
    settings: Mapping[str, str]
    postmaster_pid: int | None
    dsn: str | None
    archive: str | None
    complaint: str | None = None  # a syntax error in the configuration files

    @property
    def target(self) -> tuple[str, str] | None:
        """The recovery target that is configured: its type and text."""
        for kind in ("time", "lsn", "xid", "name"):
            value = self.settings.get(f"recovery_target_{kind}")
            if value:
                return kind, value
        if self.settings.get("recovery_target"):
            return "immediate", self.settings["recovery_target"]
        return None


NOTHING: Final = Sources(
    log=None, prefix=None, zone=None, settings={}, postmaster_pid=None, dsn=None, archive=None
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
    return Sources(
        log=_log(pgdata, settings, postmaster),
        prefix=settings.get("log_line_prefix"),
        zone=_zone(settings.get("log_timezone")),
        settings=settings,
        postmaster_pid=postmaster.pid if postmaster else None,
        dsn=_dsn(pgdata),
        archive=_archive(settings.get("restore_command", "")),
        complaint=found.complaint,
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


def _archive(restore_command: str) -> str | None:
    """The directory that restore_command copies from, when it shows one."""
    match = _ARCHIVE.search(restore_command)
    return match["directory"] if match and Path(match["directory"]).is_dir() else None
