"""The settings that a restored server would start with: the backup's own configuration files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from parsers.errors import ParseError
from parsers.server_conf import (
    Include,
    Setting,
    effective_settings,
    parse_server_conf,
    resolve_includes,
)


def read_settings(backup: Path) -> dict[str, Setting]:
    """postgresql.conf, what it includes, then postgresql.auto.conf; files that are absent are not.

    Lets ParseError through: the server would refuse to start.
    """
    files = (
        parse_server_conf(text, name)
        for path in (backup / "postgresql.conf", backup / "postgresql.auto.conf")
        for name, text in _read(path)
    )
    return effective_settings(
        setting for statements in files for setting in resolve_includes(statements, _load)
    )


def _read(path: Path) -> Iterator[tuple[str, str]]:
    """The name and text of a file; nothing for one that is absent."""
    try:
        yield str(path), path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return


def _load(include: Include) -> Iterator[tuple[str, str]]:
    """Follow an include. One that is absent is left out: only the server has to mind."""
    path = Path(include.file).parent / include.path
    files = sorted(path.glob("*.conf")) if include.directive == "include_dir" else [path]
    for file in files:
        yield from _read(file)


# What they are where the configuration says nothing: guc_parameters.dat, the same in 13 to 18.
_DEFAULTS: Final = {
    "max_connections": 100,
    "max_worker_processes": 8,
    "max_wal_senders": 10,
    "max_prepared_transactions": 0,
    "max_locks_per_transaction": 64,
}


def read_parameters(backup: Path) -> tuple[dict[str, int], bool]:
    """What replay compares with the WAL's, and hot_standby, as a plain backup is configured.

    No values where the backup has no postgresql.conf: it lies elsewhere, as Debian has it.
    """
    try:
        settings = read_settings(backup)
    except (ParseError, OSError):
        return {}, True
    if not (backup / "postgresql.conf").is_file():
        return {}, True
    said = {name: settings[name].value for name in _DEFAULTS if name in settings}
    known = {name: int(value) for name, value in said.items() if value.isdecimal()}
    hot_standby = settings["hot_standby"].value.lower() if "hot_standby" in settings else "on"
    return {**_DEFAULTS, **known}, hot_standby not in ("off", "false", "no", "0", "f", "n")


def find_zone(name: str) -> ZoneInfo | None:
    """A time zone by name, None for one that this machine does not know."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError):
        return None


def server_zone(backup: Path | None) -> tuple[ZoneInfo, str]:
    """The restored server's TimeZone, and where that was read."""
    try:
        setting = read_settings(backup).get("timezone") if backup else None
    except (ParseError, OSError):
        setting = None
    zone = find_zone(setting.value) if setting else None
    if setting is None or zone is None:
        return ZoneInfo("UTC"), "no TimeZone found in the backup's configuration"
    return zone, f"TimeZone of {setting.file}:{setting.line}"
