"""The settings of a data directory that a watcher needs, as the files and the command line say.

Order as the server's: postgresql.conf with its includes, postgresql.auto.conf, the postmaster's
command line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from parsers.errors import ParseError
from parsers.server_conf import (
    Include,
    Setting,
    effective_settings,
    parse_server_conf,
    resolve_includes,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSettings:
    """What the files say, and what the server will refuse in them."""

    values: Mapping[str, str]
    complaint: str | None = None  # file and line of a syntax error: the next start will fail
    complete: bool = True  # False: there is no postgresql.conf where it was looked for


def read_settings(pgdata: Path, command_line: Sequence[str] = ()) -> FoundSettings:
    """Gather the settings in force at the next start; a file that is not there says nothing."""
    given = dict(_from_command_line(command_line))
    main = Path(given.get("config_file", pgdata / "postgresql.conf"))
    settings: list[Setting] = []
    complaint = None
    for path in (main, pgdata / "postgresql.auto.conf"):
        try:
            settings += _from_file(path)
        except ParseError as error:
            complaint = complaint or f"{path}: {error}"
    found = {name: setting.value for name, setting in effective_settings(settings).items()}
    return FoundSettings(values=found | given, complaint=complaint, complete=main.is_file())


def _from_file(path: Path) -> list[Setting]:
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return []
    statements = parse_server_conf(text, str(path))
    return list(resolve_includes(statements, lambda include: _load(include, path.parent)))


def _load(include: Include, directory: Path) -> Iterable[tuple[str, str]]:
    """The files of a directive; one that cannot be read is passed over."""
    base = Path(include.file).parent if include.file else directory
    path = base / include.path
    files = [path]
    if include.directive == "include_dir":
        files = sorted(file for file in path.glob("*.conf") if not file.name.startswith("."))
    for file in files:
        try:
            yield str(file), file.read_text(encoding="utf-8", errors="surrogateescape")
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
