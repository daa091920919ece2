"""pgBackRest's configuration: which repositories it has, and how each is reached.

Follows src/config/parse.c and src/common/ini.c: several files are read as one; of an option the
environment goes first, then `[STANZA:COMMAND]`, `[STANZA]`, `[global:COMMAND]`, `[global]`. The
command is `restore`; of the spool, which another one fills, it is `archive-push`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from parsers.errors import ParseError
from parsers.sentences import tr
from parsers.values import dataclass

DEFAULT_PATH: Final = "/var/lib/pgbackrest"
DEFAULT_SPOOL: Final = "/var/spool/pgbackrest"
_RESTORE, _PUSH = "restore", "archive-push"
_GLOBAL: Final = "global"
_PREFIX: Final = "PGBACKREST_"
# What a repository is reached by; others, as its retention, make none.
_OF_A_PLACE: Final = re.compile(
    r"repo([0-9]+)-((?:host|path|type|cipher|storage|s3|azure|gcs|sftp)(?:-[a-z0-9-]+)?)\Z"
)

Sections = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredRepository:
    """One repository: its options by their names without `repoN-`."""

    number: int
    options: Mapping[str, str]

    @property
    def type(self) -> str:
        return self.options.get("type", "posix")

    @property
    def path(self) -> str:
        return self.options.get("path", DEFAULT_PATH)


def parse_config(text: str, before: Sections) -> Sections:
    """Read a file that is joined with those `before`. Raises ParseError with a line."""
    sections = {name: dict(options) for name, options in before.items()}
    section: dict[str, str] | None = None
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]"):
            section = sections.setdefault(line[1:-1], {})
            continue
        key, equals, value = (part.strip() for part in line.partition("="))
        if section is None:
            raise ParseError(tr("an option before any [section]"), line=number)
        if not equals or not key or not value:
            raise ParseError(tr("neither a [section] nor option=value"), line=number)
        if key in section and _OF_A_PLACE.match(_numbered(key)):
            raise ParseError(tr("{key} is there twice", key=key), line=number)
        section[key] = value
    return sections


def stanzas(sections: Sections) -> tuple[str, ...]:
    """The stanzas that have a section."""
    found = {name.partition(":")[0] for name in sections} - {_GLOBAL}
    return tuple(sorted(found))


def repositories(
    sections: Sections, environment: Mapping[str, str], stanza: str | None
) -> tuple[ConfiguredRepository, ...]:
    """The repositories as a restore of this stanza has them, by their numbers."""
    found: dict[int, dict[str, str]] = {}
    for key, value in _options(sections, environment, stanza, _RESTORE).items():
        if match := _OF_A_PLACE.match(key):
            found.setdefault(int(match[1]), {})[match[2]] = value
    found = found or {1: {}}
    return tuple(
        ConfiguredRepository(number=number, options=found[number]) for number in sorted(found)
    )


def spool_of(sections: Sections, environment: Mapping[str, str], stanza: str | None) -> str | None:
    """The directory where archive-push notes what it did; None: it does so at once (no async)."""
    options = _options(sections, environment, stanza, _PUSH)
    return options.get("spool-path", DEFAULT_SPOOL) if options.get("archive-async") == "y" else None


def _options(
    sections: Sections, environment: Mapping[str, str], stanza: str | None, command: str
) -> dict[str, str]:
    """The options of a command, by their names with the repository's number."""
    options: dict[str, str] = {}
    names = [_GLOBAL, f"{_GLOBAL}:{command}"]
    if stanza is not None:
        names += [stanza, f"{stanza}:{command}"]
    for name in names:
        options |= {_numbered(key): value for key, value in sections.get(name, {}).items()}
    return options | {_numbered(key): each for key, each in _of_environment(environment).items()}


def _of_environment(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name.removeprefix(_PREFIX).lower().replace("_", "-"): value
        for name, value in environment.items()
        if name.startswith(_PREFIX) and value
    }


def _numbered(key: str) -> str:
    """An option of the time before repositories had numbers is the first's."""
    return f"repo1-{key[5:]}" if key.startswith("repo-") else key
