"""The settings that a restored server would start with: the backup's own configuration files.

What they include is followed inside of the backup alone, whether it is plain or a tar. A file
outside of it is one of the machine that restores, not of the one that checks.
"""

from __future__ import annotations

import errno
import posixpath
from collections.abc import Collection, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from agent.denied import is_proof
from agent.store.local import NotAFile
from agent.store.paths import AnyPath, entries_of, read_path
from parsers.errors import ParseError
from parsers.files.server_conf import (
    FileSetting,
    Include,
    Statement,
    effective_settings,
    parse_server_conf,
    resolve_includes,
)
from parsers.sentences import tr
from parsers.values import dataclass
from rules.model.facts import UnreadSettings

CONFIGURATION: Final = ("postgresql.conf", "postgresql.auto.conf")  # in the order of reading
_LIMIT_BYTES: Final = 16 << 20
_MAX_FILES: Final = 1000  # files that include each other can grow without a bound


class ConfigurationSource(Protocol):
    """The files of a backup, by their path in the data directory."""

    @property
    def directory(self) -> str:
        """What their paths are relative to."""

    def read(self, name: str) -> bytes | None:
        """Give a file's content; None for one that is not there."""

    def list_configuration(self, folder: str) -> Collection[str] | None:
        """Name the files in a folder that include_dir takes; None where there is no folder."""


class ConfigurationRead(NamedTuple):
    """What the files say together, and what of them could not be read."""

    settings: Mapping[str, FileSetting] | None  # None: none are known
    unread: tuple[UnreadSettings, ...]
    has_main: bool = True  # False: there is no postgresql.conf


def read_configuration(files: ConfigurationSource) -> ConfigurationRead:
    """Read postgresql.conf, what it includes, then postgresql.auto.conf. Lets OSError through."""
    reading = _Reading(files)
    try:
        settings = reading.settings()
    except ParseError as error:
        refused = UnreadSettings(reading.current, tr("PostgreSQL refuses it: {error}", error=error))
        return ConfigurationRead(None, (*reading.unread, refused), reading.has_main)
    return ConfigurationRead(settings or None, tuple(reading.unread), reading.has_main)


def read_settings(backup: AnyPath) -> dict[str, FileSetting]:
    """The settings of a plain backup or a data directory, as far as its own files tell them.

    Lets ParseError through: the server would refuse to start; and OSError where one cannot be read.
    """
    return _Reading(PlainConfiguration(backup)).settings()


@dataclass(slots=True)
class _Reading:
    """One way through the files."""

    files: ConfigurationSource
    unread: list[UnreadSettings] = field(default_factory=list)
    current: str = CONFIGURATION[0]  # the file that is being read
    has_main: bool = True
    _count: int = 0

    def settings(self) -> dict[str, FileSetting]:
        statements = (each for name in CONFIGURATION for each in self._statements(name))
        return effective_settings(resolve_includes(statements, self._load))

    def _statements(self, name: str) -> Iterator[Statement]:
        for path, text in self._read(name):
            self.current = name
            yield from parse_server_conf(text, path)

    def _load(self, include: Include) -> Iterator[tuple[str, str]]:
        """Follow an include: its files, in the server's order."""
        name, where = self._inside(include), self._where(include)
        if name is None:
            self._note(
                include.path,
                tr("{where} includes it, and it is not in the backup", where=where),
                True,
            )
            return
        names: Collection[str] | None = [name]
        if include.directive == "include_dir":
            names = self.files.list_configuration(name)
        noted = len(self.unread)
        found = [file for each in sorted(names or ()) for file in self._read(each)]
        nothing = not found and len(self.unread) == noted
        if names is None or (include.directive == "include" and nothing):
            self._note(
                name,
                tr(
                    "absent: PostgreSQL does not start without it, {where} includes it", where=where
                ),
            )
        self._count += len(found)
        if self._count > _MAX_FILES:
            raise ParseError(tr("could not include {path!r}: too many files", path=include.path))
        for path, text in found:
            self.current = self._relative(path)
            yield path, text

    def _read(self, name: str) -> Iterator[tuple[str, str]]:
        data = self._read_one(name)
        if data is None and name == CONFIGURATION[0]:
            self.has_main = any(each.file == name for each in self.unread)
        if data is not None:
            yield f"{self.files.directory}/{name}", data.decode("utf-8", "surrogateescape")

    def _read_one(self, name: str) -> bytes | None:
        """None also for what cannot be used, which is noted."""
        try:
            return self.files.read(name)
        except OSError as error:
            if not isinstance(error, NotAFile) and error.errno != errno.EFBIG:
                raise
            self._note(name, error.strerror or tr("it cannot be read"))
            return None

    def _inside(self, include: Include) -> str | None:
        """The path of what is included in the data directory; None for one outside of it."""
        written = include.path.partition("\0")[0]  # where a string ends for the server
        path = posixpath.normpath(posixpath.join(posixpath.dirname(include.file), written))
        inside = self._relative(path)
        return None if inside == ".." or inside.startswith("../") else inside

    def _relative(self, path: str) -> str:
        return posixpath.relpath(path, self.files.directory)

    def _where(self, include: Include) -> str:
        return f"{self._relative(posixpath.normpath(include.file))}:{include.line}"

    def _note(self, name: str, reason: str, outside: bool = False) -> None:
        self.unread.append(UnreadSettings(name, reason, outside))


class PlainConfiguration:
    """The files of a plain backup, or of a data directory."""

    def __init__(self, backup: AnyPath) -> None:
        self._backup = backup
        self.directory = posixpath.normpath(backup) if isinstance(backup, Path) else str(backup)

    def read(self, name: str) -> bytes | None:
        """Nothing for a file that is absent. Lets OSError through."""
        try:
            return read_path(self._backup / name, _LIMIT_BYTES, within=self._backup)
        except OSError as error:
            if not is_proof(error):
                raise
            return None

    def list_configuration(self, folder: str) -> list[str] | None:
        """By their names, as the server sorts them. Lets OSError through."""
        try:
            names = [path.name for path in entries_of(self._backup / folder)]
        except OSError as error:
            if not is_proof(error):
                raise
            return None
        return [f"{folder}/{name}" for name in names if is_configuration(name)]


def is_configuration(name: str) -> bool:
    """Tell whether include_dir takes a file of this name (GetConfFilesInDir)."""
    return name.endswith(".conf") and not name.startswith(".")
