"""The settings of a data directory that a watcher needs, as the files and the command line say.

Order as the server's: postgresql.conf with its includes, postgresql.auto.conf, the postmaster's
command line (src/backend/utils/misc/guc-file.l, ParseConfigFp).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

_LINE: Final = re.compile(
    r"\s*(?P<name>[A-Za-z_][\w.]*)\s*(?:=\s*|\s)\s*"
    r"(?:'(?P<quoted>(?:[^'\\]|''|\\.)*)'|(?P<plain>[^\s#']+))"
)
_ESCAPE: Final = re.compile(r"''|\\(.)")
_CONTROLS: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_INCLUDES: Final = ("include", "include_if_exists", "include_dir")
_MAX_DEPTH: Final = 10  # of includes, as the server's


def read_settings(pgdata: Path, command_line: Sequence[str] = ()) -> Mapping[str, str]:
    """Gather the settings in force at the next start; what cannot be read is left out."""
    given = dict(_from_command_line(command_line))
    main = Path(given.get("config_file", pgdata / "postgresql.conf"))
    settings = dict(_from_file(main, 0))
    settings |= dict(_from_file(pgdata / "postgresql.auto.conf", 0))
    return settings | given


def _from_file(path: Path, depth: int) -> Iterator[tuple[str, str]]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.split("\n"):
        match = _LINE.match(line)
        if match is None:
            continue
        name, value = match["name"].lower(), _value(match)
        if name not in _INCLUDES:
            yield name, value
        elif depth < _MAX_DEPTH:
            for file in _included(name, path.parent / value):
                yield from _from_file(file, depth + 1)


def _included(name: str, path: Path) -> list[Path]:
    if name != "include_dir":
        return [path]
    return sorted(file for file in path.glob("*.conf") if not file.name.startswith("."))


def _value(match: re.Match[str]) -> str:
    quoted = match["quoted"]
    if quoted is None:
        return match["plain"]

    def unescape(escape: re.Match[str]) -> str:
        letter = escape[1]
        return "'" if letter is None else _CONTROLS.get(letter, letter)

    return _ESCAPE.sub(unescape, quoted)


def _from_command_line(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    for position, argument in enumerate(arguments):
        if argument.startswith("--") and "=" in argument:
            name, _, value = argument[2:].partition("=")
        elif argument == "-c" and position + 1 < len(arguments):
            name, _, value = arguments[position + 1].partition("=")
        else:
            continue
        yield name.strip().replace("-", "_").lower(), value.strip()
