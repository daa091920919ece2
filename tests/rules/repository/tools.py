"""Two backups in a repository, and a restore from it as the tool would be asked for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from parsers.wal.facts import instant
from rules.model.facts import ArchivedFile, BackupFacts, StoredBackup
from rules.model.goal import Goal
from rules.model.repository import ListedBackup, RepositoriesRead, RepositoryFacts, Way
from rules.recovery.prediction import predict_target
from rules.repository.tool_view import ToolView
from tests.rules.make_case import ReadFile, backup_of, files_of, listing, target_of
from tests.rules.make_restore import Story, at

LABEL = "first"


def finished(seconds: float) -> datetime:
    return instant(at(seconds))


def listed(label: str = LABEL, ends: float | None = 10, **changes: Any) -> ListedBackup:
    made = ListedBackup(
        label=label, finished_at=None if ends is None else finished(ends), stop_lsn=None
    )
    return made._replace(**changes)


def repository(tool: str, *backups: ListedBackup, **changes: Any) -> RepositoryFacts:
    made = RepositoryFacts(tool=tool, url="/repo", name="main", number=1, backups=backups)
    return replace(made, **changes)


def stored(story: Story, label: str = LABEL, **changes: Any) -> BackupFacts:
    own = StoredBackup(repository=1, label=label, kind="full")
    return backup_of(story, **{"url": f"/repo/{label}", "stored": own, **changes})


def view(
    story: Story,
    goal: Goal,
    *repositories: RepositoryFacts,
    backups: Sequence[BackupFacts] | None = None,
    way: Way | None = None,
    chosen: str | None = None,
    copies: Mapping[str, Sequence[tuple[ArchivedFile, ReadFile]]] | None = None,
    undecodable: Sequence[str] = (),
    lost: Sequence[str] = (),
    **restored: Any,
) -> ToolView:
    """`lost` are segments that are not there."""
    found = [stored(story)] if backups is None else backups
    files = {name: data for name, data in files_of(story).items() if name not in lost}
    restore = story.restore(without=tuple(lost), **restored)
    return ToolView(
        read=RepositoriesRead(repositories=repositories, chosen=chosen),
        target=target_of(goal),
        goal=goal,
        note="",
        way=way or Way(),
        archive=listing("/repo", files, story),
        backups=found,
        restores={each.url: replace(restore, backup=each) for each in found},
        copies=copies or {},
        undecodable=undecodable,
    )


def plain(seen: ToolView):
    """What a restore_command gives."""
    return predict_target(seen.target, seen.goal, list(seen.restores.values()))
