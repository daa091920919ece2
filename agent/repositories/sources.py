"""The repositories that a program was given, as archives and backups like any others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from agent.archive import ciphers
from agent.archive.fetch import StoredAt
from agent.archive.readings import ScannedSegment, read_segment
from agent.backups.describe import BackupDepth
from agent.backups.layers import BackupLayer
from agent.repositories.reading import read_with_keys
from agent.repositories.recognise import PGBACKREST
from agent.repositories.repository import BackupFiles, Repository
from agent.store.paths import AnyPath
from parsers.values import dataclass
from rules.model.facts import ArchiveFacts, BackupsFacts, StoredBackup
from rules.model.repository import RepositoriesRead


@dataclass(frozen=True, slots=True)
class RepositorySources:
    """Opened repositories, in the order in which they were named."""

    opened: tuple[Repository, ...] = ()
    only: str | None = None  # one backup, by its label

    def read_backups(self, others: BackupsFacts | None, depth: BackupDepth) -> BackupsFacts | None:
        """Their backups beside those that were found elsewhere. Raises NotRead."""
        if not self.opened:
            return others
        found = others or BackupsFacts(backups=(), unreadable={}, depth=depth)
        for repository in self.opened:
            read = repository.read_backups(depth, self.only)
            found = replace(
                found,
                backups=(*found.backups, *read.read),
                unreadable={**found.unreadable, **read.unreadable},
                changing={**found.changing, **read.changing},
            )
        backups = sorted(found.backups, key=lambda each: (each.label.start_lsn, each.url))
        return replace(found, backups=tuple(backups))

    def list_archives(self) -> tuple[ArchiveFacts, ...]:
        """Their WAL. Raises NotRead."""
        return tuple(repository.list_archive() for repository in self.opened)

    def facts(self) -> RepositoriesRead | None:
        """What the tools say of them."""
        if not self.opened:
            return None
        told = tuple(repository.facts() for repository in self.opened)
        return RepositoriesRead(repositories=told, chosen=self.only)

    def files(self, stored: StoredBackup) -> BackupFiles | AnyPath | None:
        """What a backup holds, or the place where it lies as any does; None: it is not read."""
        found = (each for each in self.opened if each.number == stored.repository)
        repository = next(found, None)
        return repository.files(stored.label) if repository else None

    def layers(self, stored: StoredBackup) -> list[BackupLayer]:
        """A backup of one of them, as it is restored. Raises NotABackup, NotRead."""
        found = next(each for each in self.opened if each.number == stored.repository)
        return found.layers(stored.label)

    def find_wal(self, name: str) -> list[StoredAt]:
        """Where their files of WAL of this plain name are, or may be. Raises NotRead."""
        return [found for repository in self.opened for found in repository.find_wal(name)]

    @property
    def archive_urls(self) -> frozenset[str]:
        """By which their archives are known in a report."""
        return frozenset(repository.archive_url for repository in self.opened)

    @property
    def words(self) -> list[str]:
        """The options that name them, without any secret."""
        words: list[str] = []
        for each in self.opened:
            words += ["--repository", each.url]
        if self.opened and self.opened[0].name:
            option = "--stanza" if self.opened[0].tool == PGBACKREST else "--server"
            words += [option, self.opened[0].name]
        return words

    @property
    def read_segment(self) -> Callable[..., ScannedSegment]:
        """What reads one segment in a worker process: with the keys that are known by now."""
        return partial(read_with_keys, dict(ciphers.remembered())) if self.opened else read_segment


NO_REPOSITORIES: Final = RepositorySources()
