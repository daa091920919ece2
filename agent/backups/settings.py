"""The settings that a restored server would start with: the backup's own configuration files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from parsers.server_conf import (
    Include,
    Setting,
    effective_settings,
    parse_server_conf,
    resolve_includes,
)

CONFIGURATION: Final = ("postgresql.conf", "postgresql.auto.conf")  # in the order of reading


def settings_of_texts(texts: Mapping[str, bytes], directory: str) -> dict[str, Setting]:
    """The same from files already read, by name; what they include is not followed.

    Raises ParseError as `read_settings` does.
    """
    return effective_settings(
        statement
        for name in CONFIGURATION
        for statement in parse_server_conf(
            texts.get(name, b"").decode("utf-8", "surrogateescape"), f"{directory}/{name}"
        )
        if isinstance(statement, Setting)
    )


def read_settings(backup: Path) -> dict[str, Setting]:
    """postgresql.conf, what it includes, then postgresql.auto.conf; files that are absent are not.

    Lets ParseError through: the server would refuse to start.
    """
    files = (
        parse_server_conf(text, name)
        for file in CONFIGURATION
        for name, text in _read(backup / file)
    )
    return effective_settings(
        setting for statements in files for setting in resolve_includes(statements, _load)
    )


def _read(path: Path) -> Iterator[tuple[str, str]]:
    """The name and text of a file; nothing for one that is absent, or that is none."""
    if not path.is_file():  # a pipe or a device would be read for ever
        return
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


def find_zone(name: str) -> ZoneInfo | None:
    """A time zone by name, None for one that this machine does not know."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError):
        return None
