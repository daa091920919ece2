"""The server's compiled message catalogues on this machine: postgres-15.mo and its sisters.

They are read lazily, one language at a time: a log in English never opens one.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from parsers.errors import ParseError
from parsers.log.message_catalogue import Language, parse_language

# Debian and its PGDG packages; PGDG's RPMs; builds from source; relocatable installations.
USUAL_PLACES: Final = (
    "/usr/share/locale",
    "/usr/pgsql-*/share/locale",
    "/usr/local/pgsql/share/locale",
    "/usr/local/share/locale",
    "/usr/lib/postgresql/*/share/locale",
    "/opt/*/share/locale",
)
_MAX_BYTES: Final = 32 << 20  # a catalogue is about 1 MB


def find_languages(localedir: Path | None, major: int | None) -> Iterator[Language]:
    """Read the catalogues of `localedir`, or of the usual places, those of `major` first."""
    files = [file for place in _places(localedir) for file in place.glob(_PATTERN)]
    wanted = f"postgres-{major}.mo"
    for file in sorted(files, key=lambda file: (file.name != wanted, str(file))):
        language = _read(file)
        if language is not None:
            yield language


_PATTERN: Final = "*/LC_MESSAGES/postgres-*.mo"


def _places(localedir: Path | None) -> Iterator[Path]:
    if localedir is not None:
        yield localedir
        return
    for pattern in USUAL_PLACES:
        yield from sorted(Path("/").glob(pattern.lstrip("/")))
    for program in sorted(Path("/").glob("usr/lib/postgresql/*/bin/pg_config")):
        yield from _ask(program)


def _ask(pg_config: Path) -> Iterator[Path]:
    try:
        answer = subprocess.run(
            [pg_config, "--localedir"], capture_output=True, text=True, timeout=5, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return
    place = Path(answer.strip())
    if answer.strip() and str(place) not in USUAL_PLACES:
        yield place


def _read(file: Path) -> Language | None:
    """One catalogue; None when it cannot be read, as if it were not there."""
    try:
        with file.open("rb") as stream:
            data = stream.read(_MAX_BYTES)
        return parse_language(f"{file.parent.parent.name} ({file.stem})", data)
    except (OSError, ParseError):
        return None
