"""Which minor release of PostgreSQL wrote what is read: nothing in a backup or in WAL says it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final, NamedTuple

from parsers.sentences import tr
from parsers.values import dataclass
from rules.model.facts import BackupFacts, PositionFacts

_VERSION: Final = re.compile(r"(?:PostgreSQL )?([1-9]\d)\.(\d{1,3})(?![\d.])")


class Release(NamedTuple):
    """A minor release, as far as it is known."""

    version_num: int  # as server_version_num
    is_exact: bool  # False: this one or an older one

    @property
    def in_words(self) -> str:
        name = f"PostgreSQL {name_of(self.version_num)}"
        return name if self.is_exact else tr("{name} or older", name=name)


class ServerStart(NamedTuple):
    """One start of the server, as its log has it."""

    at: datetime
    version_num: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasesFacts:
    """What a person, the server and its log say of the release. None of them: the fact is absent.

    A standby and its log do not say what made a backup. A server goes up from one minor release to
    the next, and hardly ever back.
    """

    told: int | None = None  # server_version_num by --server-version or the configuration
    position: PositionFacts | None = None
    starts: tuple[ServerStart, ...] = ()  # by the log, oldest first

    def of_backup(self, backup: BackupFacts) -> Release | None:
        """The release that made a backup; None where nobody tells."""
        found = self._told() if backup.label.source == "standby" else self._at(backup.started_at)
        return found if found and found.version_num // 10000 == backup.major else None

    def standby(self) -> Release | None:
        """The release that replays here; None where nothing does, or SQL does not answer."""
        position = self.position
        if position is None or not position.in_recovery:
            return None
        return Release(position.server_version_num, True)

    def _told(self) -> Release | None:
        return None if self.told is None else Release(self.told, True)

    def _at(self, began: datetime | None) -> Release | None:
        """By the log, else by who was asked to say it, else by the server of today."""
        position = self.position
        if position is not None and position.in_recovery:
            return self._told()
        before = [start for start in self.starts if began is not None and start.at <= began]
        if before:
            return Release(before[-1].version_num, True)
        if self.told is not None:
            return self._told()
        if position is not None:
            started = position.started_at
            same = began is not None and started is not None and started <= began
            return Release(position.server_version_num, same)
        return Release(self.starts[0].version_num, False) if self.starts else None


def name_of(version_num: int) -> str:
    """A release as people write it.

    >>> name_of(180007)
    '18.7'
    """
    return f"{version_num // 10000}.{version_num % 10000}"


def parse_release(text: str) -> int | None:
    """server_version_num of what a person or a server writes; None for a beta, or another thing.

    >>> parse_release("18.7"), parse_release("PostgreSQL 15.14 (Debian 15.14-0+deb12u1) on x86_64")
    (180007, 150014)
    """
    found = _VERSION.match(text.strip())
    return int(found[1]) * 10000 + int(found[2]) if found else None
