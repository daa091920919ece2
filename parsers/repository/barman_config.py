"""Barman's configuration: its servers, and where the folders of each lie.

Follows barman/config.py: `[barman]`, then a section for each server; `%(name)s` stands for an
option that comes before. Files of `configuration_files_directory` are read after the first.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping, Sequence
from typing import Final

from parsers.errors import ParseError
from parsers.sentences import tr
from parsers.values import dataclass

HOME: Final = "/var/lib/barman"
_GLOBAL: Final = "barman"
_QUOTED: Final = re.compile(r"""^(["'])(.*)\1$""")
# Each may use those before it.
_DEFAULTS: Final = {
    "backup_directory": "%(barman_home)s/%(name)s",
    "basebackups_directory": "%(backup_directory)s/base",
    "incoming_wals_directory": "%(backup_directory)s/incoming",
    "streaming_wals_directory": "%(backup_directory)s/streaming",
    "wals_directory": "%(backup_directory)s/wals",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BarmanPlaces:
    """Where the folders of one server are: each can be moved."""

    home: str
    base: str
    incoming: str
    streaming: str
    wals: str
    meta: str
    xlogdb: tuple[str, ...]  # where xlog.db may be, by Barman's versions

    @classmethod
    def below(cls, home: str) -> BarmanPlaces:
        """Where they are by default."""
        return _places(
            {
                "backup_directory": home,
                "basebackups_directory": f"{home}/base",
                "incoming_wals_directory": f"{home}/incoming",
                "streaming_wals_directory": f"{home}/streaming",
                "wals_directory": f"{home}/wals",
            },
            home.rpartition("/")[2],
        )


class BarmanConfig:
    """What the files say that were read so far."""

    def __init__(self) -> None:
        self._parser = configparser.ConfigParser(strict=False)

    def read(self, text: str) -> None:
        """Read one more file. Raises ParseError."""
        try:
            self._parser.read_string(text)
        except configparser.MissingSectionHeaderError as error:
            raise ParseError(tr("an option before any [section]"), line=error.lineno) from None
        except configparser.ParsingError as error:
            line = error.errors[0][0]
            raise ParseError(tr("neither [section] nor option = value"), line=line) from None
        except configparser.Error:  # its message quotes the line
            raise ParseError(tr("not written as Barman's configuration")) from None

    @property
    def further_files(self) -> str | None:
        """The directory whose *.conf are read as well."""
        return self._get(_GLOBAL, "configuration_files_directory", {})

    def servers(self) -> Sequence[str]:
        return [
            name
            for name in self._parser.sections()
            if name != _GLOBAL and not name.startswith("model:")
        ]

    def places(self, server: str) -> BarmanPlaces:
        """Raises ParseError where an option stands for one that is not there."""
        values = {
            "name": server,
            "barman_home": self._get(_GLOBAL, "barman_home", {}) or HOME,
        }
        for key, default in _DEFAULTS.items():
            values[key] = self._get(server, key, values) or default % values
        if moved := self._get(server, "xlogdb_directory", values):
            values["xlogdb_directory"] = moved
        return _places(values, server)

    def _get(self, section: str, key: str, values: Mapping[str, str]) -> str | None:
        try:
            text = self._parser.get(section, key, vars=dict(values), fallback=None)
        except configparser.InterpolationError:
            message = tr(
                "[{section}] {key}: it stands for an option that is not there",
                section=section,
                key=key,
            )
            raise ParseError(message) from None
        if text is None or text.lower() == "none":
            return None
        return _QUOTED.sub(r"\2", text) or None


def _places(values: Mapping[str, str], server: str) -> BarmanPlaces:
    home, wals = values["backup_directory"], values["wals_directory"]
    moved = values.get("xlogdb_directory")
    folders = [moved] if moved else [wals, f"{home}/meta"]
    names = (f"{server}-xlog.db", "xlog.db")
    return BarmanPlaces(
        home=home,
        base=values["basebackups_directory"],
        incoming=values["incoming_wals_directory"],
        streaming=values["streaming_wals_directory"],
        wals=wals,
        meta=f"{home}/meta",
        xlogdb=tuple(f"{folder}/{name}" for folder in folders for name in names),
    )
