"""The server's catalogues that this machine has."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from parsers.message_catalogue import Language, parse_language

LOCALE = Path("/usr/share/locale")


@lru_cache
def language(name: str, major: int = 15) -> Language:
    file = LOCALE / name / "LC_MESSAGES" / f"postgres-{major}.mo"
    return parse_language(f"{name}-{major}", file.read_bytes())


def installed_languages(major: int | None) -> Iterator[Language]:
    for file in sorted(LOCALE.glob("*/LC_MESSAGES/postgres-*.mo")):
        yield language(file.parent.parent.name, int(file.stem.rpartition("-")[2]))
