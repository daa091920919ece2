"""What a tool's own restore is predicted from, and WAL as the tool would hand it over."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from parsers.sentences import tr
from parsers.values import dataclass
from parsers.wal.damage import UNDECODABLE
from parsers.wal.scan import SegmentScan
from rules.model.facts import ArchivedFile, ArchiveFacts, BackupFacts
from rules.model.goal import Goal
from rules.model.outcome import Cause
from rules.model.repository import ListedBackup, RepositoriesRead, RepositoryFacts, Way
from rules.model.restore_inputs import RestoreInputs
from rules.model.scans import JoinedStretch
from rules.model.target import Target, TargetFacts


class ScannedFile(Protocol):
    """One file of a segment, as it was read."""

    @property
    def sound(self) -> bool: ...  # nothing is wrong with it by itself

    @property
    def scan(self) -> SegmentScan: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolView:
    """Everything that the tools' rules look at."""

    read: RepositoriesRead
    target: Target
    goal: Goal
    note: str
    way: Way
    archive: ArchiveFacts
    backups: Sequence[BackupFacts]
    restores: Mapping[str, RestoreInputs]  # by the backup's url
    copies: Mapping[str, Sequence[tuple[ArchivedFile, ScannedFile]]]  # in the archives' order
    undecodable: Collection[str]  # segments of which no file can be decoded

    @property
    def repository(self) -> RepositoryFacts:
        return self.read.repositories[0]

    def backup(self, label: str) -> BackupFacts | None:
        """The backup of this label, as it was read; None: it could not be."""
        stored = (each for each in self.backups if each.stored and each.stored.label == label)
        return next(stored, None)

    def listed(self, label: str) -> ListedBackup | None:
        found = (each for repository in self.read.repositories for each in repository.backups)
        return next((each for each in found if each.label == label), None)

    def refusal(
        self,
        message: str,
        backup: BackupFacts | None = None,
        cause: Cause = Cause.OTHER,
    ) -> TargetFacts:
        """The tool does not even begin: its message is the server's last word."""
        return TargetFacts(
            target=self.target,
            backup=backup,
            outcome="fails",
            reachable=False,
            reason=tr(
                "{tool} refuses the restore: {message}", tool=self.repository.tool, message=message
            ),
            cause=cause,
            fatal=message,
        )

    def unknown(self, reason: str) -> TargetFacts:
        return TargetFacts(target=self.target, reason=reason)


def is_undecodable(scan: SegmentScan) -> bool:
    """Whether what fetches the file fails on it."""
    return scan.damage is not None and scan.damage.detail.startswith(UNDECODABLE)


def handing_over(restore: RestoreInputs, others: Mapping[str, SegmentScan | None]) -> RestoreInputs:
    """The same restore where these segments are given otherwise; None: not at all."""
    if not others:
        return restore
    wal = restore.wal
    read, find_stretch = wal.archived, wal.stretch

    def still_whole(name: str) -> JoinedStretch | None:
        stretch = find_stretch(name)
        untouched = stretch is not None and not any(each in others for each in stretch.names)
        return stretch if untouched else None

    handed = replace(
        wal,
        names=[name for name in wal.names if others.get(name, True) is not None],
        newest=None,
        archived=lambda name: others[name] if name in others else read(name),
        stretch=still_whole,
    )
    return replace(restore, wal=handed)
