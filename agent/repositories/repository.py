"""What reading a repository gives, whichever tool wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Protocol

from agent.archive.fetch import StoredAt
from agent.backups.describe import BackupDepth
from agent.backups.layers import BackupLayer
from agent.errors import CannotCheck
from agent.store.paths import AnyPath
from parsers.values import dataclass
from rules.model.facts import ArchiveFacts, BackupFacts
from rules.model.repository import RepositoryFacts


class NotRead(CannotCheck):
    """A repository, or what of it is needed, cannot be read. One line for a person."""


class NoSuchName(NotRead):
    """It can be read, and has no stanza or server of this name, or several and none was named."""


@dataclass(frozen=True, slots=True)
class FoundRepo:
    """Where a tool's repository lies, and whose it is."""

    tool: str  # pgBackRest, Barman, barman-cloud, WAL-G
    root: str
    names: tuple[str, ...]  # of its stanzas or servers; empty: it has none


@dataclass(frozen=True, slots=True, kw_only=True)
class Backups:
    """The backups of one repository that belong to the cluster asked about."""

    read: tuple[BackupFacts, ...]
    unreadable: Mapping[str, str] = field(default_factory=dict)  # url -> why
    changing: Mapping[str, datetime] = field(default_factory=dict)  # url -> last change


class BackupFiles(Protocol):
    """The files of one backup, as they are restored."""

    def databases(self) -> list[int]:
        """OIDs of the databases in the default tablespace."""

    def read(self, path: str) -> bytes | None:
        """A file by its path in the data directory; None where it cannot be had."""


class Repository(Protocol):
    """One stanza or server of one repository, opened for reading."""

    @property
    def tool(self) -> str: ...

    @property
    def url(self) -> str:
        """Its root."""

    @property
    def name(self) -> str:
        """Of the stanza or server; empty for a tool that has none."""

    @property
    def number(self) -> int:
        """Its place among the repositories named, from 1."""

    def labels(self) -> tuple[str, ...]:
        """Every backup that it lists as complete."""

    def read_backups(self, depth: BackupDepth, only: str | None) -> Backups:
        """Read its backups, or `only` one. Raises NotRead."""

    def find_wal(self, name: str) -> list[StoredAt]:
        """Where files of WAL of this plain name are, or may be. Raises NotRead."""

    def list_archive(self) -> ArchiveFacts:
        """List its WAL. Raises NotRead."""

    def files(self, label: str) -> BackupFiles | AnyPath | None:
        """What a backup holds, or the place where it lies as any does; None: it is not read."""

    @property
    def archive_url(self) -> str:
        """Where its WAL is listed."""

    def layers(self, label: str) -> list[BackupLayer]:
        """A backup as it is restored, the full one first. Raises NotABackup."""

    def facts(self) -> RepositoryFacts:
        """What the tool says of it, by which its own restore goes."""
