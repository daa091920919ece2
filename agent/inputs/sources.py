"""What a one-shot program reads: which archives and backups, and how closely."""

from __future__ import annotations

from collections.abc import Sequence

from agent.archive.progress import OnProgress
from agent.backups.describe import BackupDepth
from agent.inputs.gather import ReadingOptions, gather
from agent.repositories.sources import NO_REPOSITORIES, RepositorySources
from parsers.values import dataclass
from rules.case.case import Case
from rules.case.context import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What to look at, and at what cost."""

    archives: Sequence[str]
    elsewhere: Sequence[str]
    backups: Sequence[str]
    backups_below: str | None
    backup_depth: BackupDepth
    reading: ReadingOptions
    repositories: RepositorySources = NO_REPOSITORIES
    needs_zone: bool = False  # a time without a zone is to be read

    def gather(self, context: Context, *, on_progress: OnProgress | None = None) -> Case:
        return gather(
            self.archives,
            self.backups,
            self.backups_below,
            self.elsewhere,
            context=context,
            backup_depth=self.backup_depth,
            reading=self.reading,
            repositories=self.repositories,
            needs_zone=self.needs_zone,
            on_progress=on_progress or (lambda *_: None),
        )
