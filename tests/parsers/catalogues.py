"""The server's catalogues that this machine has."""

from __future__ import annotations

import gettext
import re
import struct
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from parsers.log.message_catalogue import Language, parse_language
from tests.fix_tools import need

LOCALE = Path("/usr/share/locale")
LOGS = Path(__file__).parent / "logs"
_TRANSLATED = ("es_", "name_")  # how the names of those logs begin that are not in English


def kept_log(path: Path) -> ParameterSet:
    """One of the kept logs as a parameter; those not in English take long to be understood."""
    slow = (pytest.mark.slow,) if path.name.startswith(_TRANSLATED) else ()
    return pytest.param(path, id=path.name, marks=slow)


def read_log(name: str) -> bytes:
    """One of the kept logs. Skips the test where nothing here understands its language."""
    if name.startswith(_TRANSLATED):
        need("messages of PostgreSQL 15")
    return (LOGS / name).read_bytes()


@lru_cache
def language(name: str, major: int = 15) -> Language:
    file = LOCALE / name / "LC_MESSAGES" / f"postgres-{major}.mo"
    return parse_language(f"{name}-{major}", file.read_bytes())


def installed_languages(major: int | None) -> Iterator[Language]:
    for file in sorted(LOCALE.glob("*/LC_MESSAGES/postgres-*.mo")):
        yield language(file.parent.parent.name, int(file.stem.rpartition("-")[2]))


@lru_cache
def language_of_19(name: str) -> Language:
    """A catalogue with 19's ids alone: 15's, whose positions are spelt as 19 does.

    One of 15 beside it would understand 19's lines too.
    """
    with (LOCALE / name / "LC_MESSAGES" / "postgres-15.mo").open("rb") as stream:
        of_15 = gettext.GNUTranslations(stream)
    pairs: dict[str, str] = of_15._catalog  # type: ignore[attr-defined]
    kept = {
        _as_in_19(msgid): _as_in_19(text) for msgid, text in pairs.items() if isinstance(msgid, str)
    }
    return parse_language(f"{name}-19", compile_catalogue(kept))


def _as_in_19(text: str) -> str:
    return re.sub(r"(%(?:\d+\$)?X/%(?:\d+\$)?)X", r"\g<1>08X", text)


def compile_catalogue(pairs: Mapping[str, str]) -> bytes:
    """What msgfmt makes: a header, two tables of (length, offset), and the strings."""
    entries = sorted((msgid.encode(), text.encode()) for msgid, text in pairs.items())
    tables, strings = [], b""
    begin = 28 + 16 * len(entries)
    for column in (0, 1):
        for entry in entries:
            tables.append(struct.pack("<II", len(entry[column]), begin + len(strings)))
            strings += entry[column] + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, len(entries), 28, 28 + 8 * len(entries), 0, 0)
    return head + b"".join(tables) + strings
