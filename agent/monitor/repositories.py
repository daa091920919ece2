"""The repositories of one watched cluster: opened anew for every scan, as others write them.

What was read of a backup down to its content is kept until it is older than `reverify`, or until
its files are others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from time import monotonic

from agent.archive import ciphers
from agent.archive.readings import ScannedSegment, read_segment
from agent.config.model import ResolvedCluster
from agent.config.repositories import places_of
from agent.repositories.opening import open_repository
from agent.repositories.reading import read_with_keys
from agent.repositories.repository import Repository
from agent.repositories.sources import RepositorySources
from rules.model.facts import ArchiveFacts, BackupFacts, BackupsFacts
from rules.model.repository import RepositoriesRead

_Contents = tuple[BackupFacts, BackupFacts, float]  # by its files, by their content, read when


class WatchedRepositories:
    """Each reading may take long, and is made in a thread of its source."""

    def __init__(self, config: ResolvedCluster) -> None:
        self._config = config
        self._contents: dict[str, _Contents] = {}  # by the backup's url

    def read_backups(
        self, others: BackupsFacts | None
    ) -> tuple[BackupsFacts | None, RepositoriesRead | None]:
        """Their backups beside others, and what the tools say. Raises NotRead, UsageError."""
        sources = self._open()
        depth = self._config.backup_depth
        if depth in ("label", "files") or not sources.opened:
            return sources.read_backups(others, depth), sources.facts()
        found = sources.read_backups(others, "files")
        assert found is not None
        repositories = {each.number: each for each in sources.opened}
        backups = [
            self._read_content(repositories[each.stored.repository], each) if each.stored else each
            for each in found.backups
        ]
        self._contents = {each.url: self._contents[each.url] for each in backups if each.stored}
        return replace(found, backups=tuple(backups), depth=depth), sources.facts()

    def list_archives(self) -> tuple[ArchiveFacts, ...]:
        """Raises NotRead, UsageError."""
        return self._open().list_archives()

    @property
    def read_segment(self) -> Callable[..., ScannedSegment]:
        """What reads one segment, with the keys that are known by now."""
        if not self._config.repositories:
            return read_segment
        return partial(read_with_keys, dict(ciphers.remembered()))

    def _open(self) -> RepositorySources:
        places = places_of(self._config.repositories)
        return RepositorySources(tuple(open_repository(place, None) for place in places))

    def _read_content(self, repository: Repository, listed: BackupFacts) -> BackupFacts:
        before = self._contents.get(listed.url)
        if before is None or before[0] != listed or self._is_old(before[2]):
            read = repository.read_backups(self._config.backup_depth, listed.name).read
            facts = read[0] if read else listed  # expired meanwhile
            self._contents[listed.url] = before = (listed, facts, monotonic())
        return before[1]

    def _is_old(self, read_at: float) -> bool:
        return monotonic() - read_at >= self._config.reverify
