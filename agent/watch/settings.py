"""The settings of a data directory that a watcher needs, as the files and the command line say.

Order as the server's: postgresql.conf with its includes, postgresql.auto.conf, the postmaster's
command line. Debian and Ubuntu keep all but postgresql.auto.conf outside the data directory: a
cluster of theirs is known by the data_directory that its postgresql.conf names (pg_wrapper(1)).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from agent.store.local import read_file
from parsers.errors import ParseError
from parsers.files.server_conf import (
    FileSetting,
    Include,
    effective_settings,
    parse_server_conf,
    resolve_includes,
)
from parsers.sentences import tr
from parsers.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSettings:
    """What the files say, and what the server will refuse in them."""

    values: Mapping[str, str]
    main: Path  # postgresql.conf, where it is or would have to be
    complaint: str | None = None  # file and line of a syntax error: the next start will fail
    complete: bool = True  # False: there is no postgresql.conf where it was looked for
    absent: tuple[str, ...] = ()  # files without which the server does not start
    elsewhere: str | None = None  # the other directory that a start would be one of


_MAIN: Final = "postgresql.conf"


def read_settings(pgdata: Path, command_line: Sequence[str] = ()) -> FoundSettings:
    """Gather the settings in force at the next start; a file that is not there says nothing."""
    given = dict(_from_command_line(command_line))
    main = Path(given.get("config_file", pgdata / _MAIN))
    if not main.is_file() and "config_file" not in given:
        main = debian_configuration(pgdata) or main
    settings: list[FileSetting] = []
    complaint = None
    for path in (main, pgdata / "postgresql.auto.conf"):
        try:
            settings += _from_file(path)
        except ParseError as error:
            complaint = complaint or tr("{path}: {error}", path=path, error=error)
    found = {name: setting.value for name, setting in effective_settings(settings).items()}
    values = found | given
    hba = pgdata / values.get("hba_file", "pg_hba.conf")  # SelectConfigFiles: not beside `main`
    return FoundSettings(
        values=values,
        main=main,
        complaint=complaint,
        complete=main.is_file(),
        absent=tuple(str(path) for path in (main, hba) if is_absent(path)),
        elsewhere=_elsewhere(pgdata, values.get("data_directory")),
    )


def debian_configuration(pgdata: Path) -> Path | None:
    """The postgresql.conf of the cluster of postgresql-common that has this data directory."""
    root = Path(os.environ.get("PG_CLUSTER_CONF_ROOT") or "/etc/postgresql")
    for path in sorted(root.glob(f"*/*/{_MAIN}")):
        try:
            named = effective_settings(_from_file(path)).get("data_directory")
        except ParseError:
            continue
        if named is not None and _is_same(Path(named.value), pgdata):
            return path
    return None


def _elsewhere(pgdata: Path, named: str | None) -> str | None:
    return named if named and not _is_same(Path(named), pgdata) else None


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.resolve() == other.resolve()
    except OSError:
        return False


def is_absent(path: Path) -> bool:
    """Whether it is known that there is nothing."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        pass
    return False


def _from_file(path: Path) -> list[FileSetting]:
    try:
        text = read_file(path).decode("utf-8", "surrogateescape")
    except OSError:
        return []
    statements = parse_server_conf(text, str(path))
    return list(resolve_includes(statements, lambda include: _load(include, path.parent)))


def _load(include: Include, directory: Path) -> Iterable[tuple[str, str]]:
    """The files of a directive; one that may not be read is passed over.

    Raises ParseError, as the server does, for one that is not there.
    """
    base = Path(include.file).parent if include.file else directory
    path = base / include.path
    if include.directive != "include_if_exists" and is_absent(path):
        why = tr(
            "{directive} {path}: there is no such thing", directive=include.directive, path=path
        )
        raise ParseError(why, line=include.line)
    files = [path]
    if include.directive == "include_dir":
        files = sorted(file for file in path.glob("*.conf") if not file.name.startswith("."))
    for file in files:
        try:
            yield str(file), read_file(file).decode("utf-8", "surrogateescape")
        except OSError:
            continue


def _from_command_line(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    for position, argument in enumerate(arguments):
        if argument.startswith("--") and "=" in argument:
            name, _, value = argument[2:].partition("=")
        elif argument == "-c" and position + 1 < len(arguments):
            name, _, value = arguments[position + 1].partition("=")
        else:
            continue
        yield name.strip().replace("-", "_").lower(), value.strip()
