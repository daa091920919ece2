"""What the scratch server starts with: settings that reach nothing outside its area.

Nothing of the backup's configuration is read by the server: its files are empty ones of ours, and
every setting stands on the command line, which wins over files and ALTER SYSTEM. What recovery
needs of the backup's own settings is taken over here, value by value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.backups.settings import read_settings
from agent.drill.area import Area
from agent.postgres.installation import Installation
from parsers.errors import ParseError
from parsers.pg_control import ControlFile
from parsers.wal_facts import ParameterChange
from rules.restore import PARAMETERS

LOG_LINE_PREFIX: Final = "%m [%p] %b "

_ALWAYS: Final = {
    # Nobody reaches it but through a socket in a directory that only its account may enter.
    "listen_addresses": "", "unix_socket_permissions": "0700", "ssl": "off", "bonjour": "off",
    # It reaches nobody.
    "archive_mode": "off", "archive_command": "", "recovery_end_command": "",
    "archive_cleanup_command": "", "primary_conninfo": "", "primary_slot_name": "",
    "max_logical_replication_workers": "0",
    # It runs nothing by itself that a backup could bring along.
    "autovacuum": "off", "session_preload_libraries": "", "local_preload_libraries": "",
    "dynamic_library_path": "$libdir", "jit": "off", "restart_after_crash": "off",
    # It is small, and it need not outlive a crash of the machine.
    "shared_buffers": "128MB", "huge_pages": "off", "work_mem": "4MB",
    "maintenance_work_mem": "64MB", "fsync": "off", "full_page_writes": "off", "wal_recycle": "off",
    "wal_init_zero": "off", "superuser_reserved_connections": "0", "wal_level": "replica",
    "dynamic_shared_memory_type": "mmap",  # in its data directory: /dev/shm outlives a kill
    # Its log is read by us.
    "logging_collector": "off", "log_destination": "stderr", "log_line_prefix": LOG_LINE_PREFIX,
    "log_timezone": "UTC", "timezone": "UTC", "lc_messages": "C", "log_min_messages": "warning",
    "log_statement": "none", "log_duration": "off",
}  # fmt: skip
_SINCE: Final = {
    15: {"archive_library": ""},
    17: {"event_triggers": "off", "sync_replication_slots": "off"},
}
# What roles and databases have set for themselves counts from their first query on, and before a
# trigger on login, unless the connection says otherwise.
_OF_A_CONNECTION: Final = {
    "session_preload_libraries": "", "local_preload_libraries": "",
    "dynamic_library_path": "$libdir", "jit": "off", "role": "none",
    "search_path": '"$user",public', "default_transaction_read_only": "off", "row_security": "on",
    "statement_timeout": "0", "lock_timeout": "10s",
}  # fmt: skip
_OF_A_CONNECTION_SINCE: Final = {17: {"event_triggers": "off", "transaction_timeout": "0"}}
# More of them than the default may be in use by what the backup holds: replication origins.
_TAKEN_OVER: Final = ("max_replication_slots", "max_active_replication_origins")
_ORIGINS_MAJOR: Final = 18
# Libraries that start work of their own as soon as the server is open.
_RUN_JOBS: Final = frozenset({
    "pg_cron", "pg_partman_bgw", "pg_squeeze", "pglogical", "bdr", "spock", "repmgr", "pg_net",
    "powa", "pg_auto_failover", "pgautofailover", "pg_task", "pg_background", "pg_timetable",
    "supautils", "pg_failover_slots", "timescaledb", "citus",
})  # fmt: skip
_LIBRARY: Final = re.compile(r"(\$libdir/)?(?P<name>[A-Za-z0-9_.-]+)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The server's settings, and what of the backup's own was left behind."""

    settings: Mapping[str, str]
    notes: tuple[str, ...]


def configure(
    area: Area,
    installation: Installation,
    recovery: Mapping[str, str],
    control: ControlFile | None,
    changes: Iterable[ParameterChange],
) -> Configuration:
    """Settings for the data directory in `area`, whose own configuration is made empty."""
    own, notes = _own_settings(area.data)
    libraries, dropped = _preloads(own.get("shared_preload_libraries", ""), installation)
    notes += dropped
    for name in ("session_preload_libraries", "local_preload_libraries"):
        if own.get(name):
            notes.append(f"{name} = {own[name]!r} was left out: recovery does not need it")
    settings = {
        **_ALWAYS,
        **_since(_SINCE, installation.major),
        **dict(_taken_over(own, installation.major)),
        **dict(_parameters(own, control, changes)),
        **recovery,
        "shared_preload_libraries": ",".join(libraries),
        "unix_socket_directories": str(area.sockets),
        **dict(_empty_files(area)),
    }  # fmt: skip
    return Configuration(settings=settings, notes=tuple(notes))


def connection_options(major: int) -> str:
    """What every connection of ours sets (PGOPTIONS), on a server of this major."""
    settings = {**_OF_A_CONNECTION, **_since(_OF_A_CONNECTION_SINCE, major)}
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


def _since(table: Mapping[int, Mapping[str, str]], major: int) -> dict[str, str]:
    return {n: v for since, more in table.items() if major >= since for n, v in more.items()}


def _own_settings(data: Path) -> tuple[dict[str, str], list[str]]:
    """The backup's own settings."""
    try:
        return {name: setting.value for name, setting in read_settings(data).items()}, []
    except (ParseError, OSError) as error:
        return {}, [f"the backup's configuration was left out: {error}"]


def _empty_files(area: Area) -> Iterator[tuple[str, str]]:
    """Files of ours in place of the backup's: none says anything, but who may come in."""
    own = {
        "config_file": "",
        "hba_file": "local all all trust\n",
        "ident_file": "",
    }
    for setting, text in own.items():
        path = area.path / setting
        _write(path, text, area)
        yield setting, str(path)
    _write(area.data / "postgresql.auto.conf", "", area)
    _write(area.data / "recovery.signal", "", area)


def _write(path: Path, text: str, area: Area) -> None:
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    area.account.own(path)


# -- what recovery needs of the backup's own settings ----------------------------------------------


def _parameters(
    own: Mapping[str, str], control: ControlFile | None, changes: Iterable[ParameterChange]
) -> Iterator[tuple[str, str]]:
    """The settings that must not be lower than where the WAL was written: the highest of each."""
    writers = [control] if control else []
    for name in PARAMETERS:
        known = [int(getattr(writer, name)) for writer in (*writers, *changes)]
        if own.get(name, "").isdigit():
            known.append(int(own[name]))
        if known:
            yield name, str(max(known))


def _taken_over(own: Mapping[str, str], major: int) -> Iterator[tuple[str, str]]:
    for name in _TAKEN_OVER:
        exists = name != "max_active_replication_origins" or major >= _ORIGINS_MAJOR
        if exists and own.get(name, "").isdigit():
            yield name, own[name]


def _preloads(wanted: str, installation: Installation) -> tuple[list[str], list[str]]:
    """(libraries to load, why the others are not)."""
    kept: list[str] = []
    notes: list[str] = []
    for library in (word.strip().strip("\"'") for word in wanted.split(",") if word.strip()):
        reason = _reason_against(library, installation)
        if reason is None:
            kept.append(library)
        else:
            notes.append(f"the preloaded library {library} was left out: {reason}")
    return kept, notes


def _reason_against(library: str, installation: Installation) -> str | None:
    match = _LIBRARY.match(library)
    if match is None:
        return "it lies outside of the installation's own library directory"
    name = match["name"].removesuffix(".so")
    if name in _RUN_JOBS:
        return "it starts work of its own"
    if not any((place / f"{name}.so").is_file() for place in _library_places(installation)):
        return f"{installation.bindir} has no such library"
    return None


def _library_places(installation: Installation) -> tuple[Path, ...]:
    """Where $libdir is, seen from the programs: Debian and the RPMs, the embedded, from source."""
    prefix = installation.bindir.parent
    return prefix / "lib", prefix / "lib" / "postgresql", prefix / "lib64"
