"""What the scratch server starts with: settings that reach nothing outside its area.

Nothing of the backup's configuration is read by the server: its files are empty ones of ours, and
every setting stands on the command line, which wins over files and ALTER SYSTEM. What recovery
needs of the backup's own settings is taken over here, value by value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from agent.backups.settings import read_settings
from agent.drill.area import Area
from agent.drill.errors import CannotDrill
from agent.postgres.installation import Installation
from parsers.errors import ParseError
from parsers.files.pg_control import ControlFile
from parsers.sentences import tr
from parsers.values import dataclass
from parsers.wal.facts import ParameterChange
from rules.model.restore_inputs import PARAMETERS

LOG_LINE_PREFIX: Final = "%m [%p] %b "

_ALWAYS: Final = {
    # Nobody reaches it but through a socket in a directory that only its account may enter.
    "listen_addresses": "", "unix_socket_permissions": "0700", "ssl": "off", "bonjour": "off",
    # It connects to nothing.
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
    # The roles of the drill, which read large objects as well.
    "password_encryption": "scram-sha-256", "lo_compat_privileges": "on",
}  # fmt: skip
_SINCE: Final = {
    15: {"archive_library": ""},
    17: {"event_triggers": "off", "sync_replication_slots": "off"},
}
# What roles and databases have set for themselves counts from their first query on, and before a
# trigger on login, unless the connection says otherwise; `disarm` then removes it.
_OF_ANY_CONNECTION: Final = {
    "jit": "off", "role": "none", "search_path": '"$user",public', "row_security": "on",
    "statement_timeout": "0", "lock_timeout": "10s",
    "default_transaction_isolation": "read\\ committed",
}  # fmt: skip
_OF_ANY_CONNECTION_SINCE: Final = {17: {"transaction_timeout": "0"}}
# Settings that only a superuser makes.
_OF_A_SUPERUSER: Final = {
    "session_preload_libraries": "", "local_preload_libraries": "",
    "dynamic_library_path": "$libdir", "default_transaction_read_only": "off",
    "search_path": "pg_catalog",  # nothing of theirs is called for an operator or a function
}  # fmt: skip
_OF_A_SUPERUSER_SINCE: Final = {17: {"event_triggers": "off"}}
# More of them than the default may be in use by what the backup holds: replication origins.
_TAKEN_OVER: Final = ("max_replication_slots", "max_active_replication_origins")
_ORIGINS_MAJOR: Final = 18
_LIBRARY: Final = re.compile(r"(\$libdir/)?(?P<name>[A-Za-z0-9_.-]+)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The server's settings, and which of the backup's own were left out."""

    settings: Mapping[str, str]
    notes: tuple[str, ...]


def configure(
    area: Area,
    installation: Installation,
    recovery: Mapping[str, str],
    control: ControlFile | None,
    changes: Iterable[ParameterChange],
    *,
    recovers: bool = True,
    preload: Sequence[str] = (),
) -> Configuration:
    """Settings for the data directory in `area`, whose own configuration is made empty.

    Unless it `recovers` from an archive, its WAL is in pg_wal. `preload` are the libraries that a
    person named. Raises CannotDrill where one of them is not there.
    """
    own, notes = _own_settings(area.data)
    libraries = [_require_library(name, installation) for name in preload]
    notes += _left_out(own.get("shared_preload_libraries", ""), libraries)
    for name in ("session_preload_libraries", "local_preload_libraries"):
        if own.get(name):
            notes.append(
                tr(
                    "{setting} = {value!r} was left out: recovery does not need it",
                    setting=name,
                    value=own[name],
                )
            )
    settings = {
        **_ALWAYS,
        **_since(_SINCE, installation.major),
        **dict(_taken_over(own, installation.major)),
        **dict(_parameters(own, control, changes)),
        **recovery,
        "shared_preload_libraries": ",".join(libraries),
        "unix_socket_directories": str(area.sockets),
        **dict(_empty_files(area, recovers)),
    }  # fmt: skip
    return Configuration(settings=settings, notes=tuple(notes))


def connection_options(major: int) -> str:
    """What every connection of a superuser of ours sets (PGOPTIONS), on a server of this major."""
    return _options(
        _of_any_connection(major), _OF_A_SUPERUSER, _since(_OF_A_SUPERUSER_SINCE, major)
    )


def reader_options(major: int) -> str:
    """The same of the role that reads."""
    return _options(_of_any_connection(major), {"default_transaction_read_only": "on"})


def _of_any_connection(major: int) -> dict[str, str]:
    return {**_OF_ANY_CONNECTION, **_since(_OF_ANY_CONNECTION_SINCE, major)}


def _options(*tables: Mapping[str, str]) -> str:
    return " ".join(f"-c {name}={value}" for table in tables for name, value in table.items())


def admit_only(area: Area, roles: Sequence[str]) -> None:
    """Let these roles in by their passwords, and nobody else, once the server has reloaded."""
    lines = [f"local all {role} scram-sha-256\n" for role in roles]
    _write(area.path / "hba_file", "".join([*lines, "local all all reject\n"]), area)


def _since(table: Mapping[int, Mapping[str, str]], major: int) -> dict[str, str]:
    return {n: v for since, more in table.items() if major >= since for n, v in more.items()}


def _own_settings(data: Path) -> tuple[dict[str, str], list[str]]:
    """The backup's own settings."""
    try:
        return {name: setting.value for name, setting in read_settings(data).items()}, []
    except (ParseError, OSError) as error:
        return {}, [tr("the backup's configuration was left out: {error}", error=error)]


def _empty_files(area: Area, recovers: bool) -> Iterator[tuple[str, str]]:
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
    if recovers:
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


def _left_out(wanted: str, kept: Sequence[str]) -> list[str]:
    """What is said of the backup's own libraries: being loaded is enough for them to act."""
    words = (word.strip().strip("\"'") for word in wanted.split(","))
    return [
        tr(
            "the preloaded library {name} was left out: name it with --preload if it is needed",
            name=word,
        )
        for word in words
        if word and word not in kept
    ]


def _require_library(name: str, installation: Installation) -> str:
    match = _LIBRARY.match(name)
    if match is None:
        raise CannotDrill(
            tr("--preload {name}: expected the name of a library, without a path", name=name)
        )
    file = f"{match['name'].removesuffix('.so')}.so"
    if not any((place / file).is_file() for place in _library_places(installation)):
        raise CannotDrill(
            tr(
                "--preload {name}: {bindir} has no such library",
                name=name,
                bindir=installation.bindir,
            )
        )
    return name


def _library_places(installation: Installation) -> tuple[Path, ...]:
    """Where $libdir is, seen from the programs: Debian and the RPMs, the embedded, from source."""
    prefix = installation.program("postgres").resolve().parent.parent
    return prefix / "lib", prefix / "lib" / "postgresql", prefix / "lib64"
