"""The command that restores, with the tool, exactly what was proven: to paste into a shell.

The backup and the timeline are always named: the tools choose by rules of their own.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Final

from parsers.lsn import format_lsn
from parsers.sentences import joined, tr
from parsers.values import dataclass
from parsers.wal.facts import instant
from rules.model.goal import Goal
from rules.model.repository import RepositoriesRead, RepositoryFacts
from rules.model.target import TargetFacts
from rules.recovery.settings_block import restore_settings, settings_lines

_DIRECTORY: Final = "DATA_DIRECTORY"  # where to: nobody but the reader knows


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolAsked:
    """A restore, as a tool is asked for it."""

    tool: str  # pgBackRest or Barman
    goal: Goal
    label: str | None  # None: the tool's own choice
    timeline: int | str | None  # None: the tool's default


def asked_words(asked: ToolAsked) -> list[str]:
    """The options that say whereto it goes: those alike in every version."""
    words = _pgbackrest_words if asked.tool == "pgBackRest" else _barman_words
    return list(words(asked))


def restore_command_of(read: RepositoriesRead) -> str:
    """The restore_command that brings what lies in the repository, by the tool's own program."""
    first = read.repositories[0]
    if first.tool == "pgBackRest":
        repo = f" --repo={first.number}" if len(read.repositories) == 1 else ""
        return f'pgbackrest --stanza={command_word(first.name)}{repo} archive-get %f "%p"'
    if first.tool == "Barman":
        return f"barman get-wal {command_word(first.name)} %f > %p"
    if first.tool == "barman-cloud":
        return f"barman-cloud-wal-restore {_cloud(first)} %f %p"
    return 'wal-g wal-fetch "%f" "%p"'


def tool_command(read: RepositoriesRead, proven: TargetFacts, goal: Goal) -> str | None:
    """What to type for a restore that was proven to reach its target; None: it was not."""
    outcome, backup = proven.prediction, proven.backup
    if outcome is None or backup is None or backup.stored is None or not outcome.reachable:
        return None
    number = backup.stored.repository
    repository = next(each for each in read.repositories if each.number == number)
    label = backup.stored.label
    timeline = proven.timeline or backup.label.timeline
    needs = "".join(
        f"# before the start: {name} = {value}\n" for name, value in outcome.needs.items()
    )
    if repository.tool == "pgBackRest":
        asked = ToolAsked(tool=repository.tool, goal=goal, label=label, timeline=timeline)
        words = list(_pgbackrest(read, repository, asked))
        return f"{shlex.join(words)}\n{needs}"
    if repository.tool == "Barman":
        recovers = outcome.new_timeline is not None or goal.type != "none"
        followed = timeline if recovers else None
        asked = ToolAsked(tool=repository.tool, goal=goal, label=label, timeline=followed)
        words = ["barman", "recover", *asked_words(asked), repository.name, label, _DIRECTORY]
        return f"{shlex.join(words)}\n{needs}"
    if repository.tool == "barman-cloud":
        fetch = f"barman-cloud-restore {_cloud(repository)} {label} {_DIRECTORY}"
    else:
        fetch = f"wal-g backup-fetch {_DIRECTORY} {label}"
    settings = settings_lines(dict(restore_settings(goal, restore_command_of(read), outcome.needs)))
    then = tr("# then recovery.signal, and in postgresql.auto.conf:")
    return joined("\n", (fetch, then, settings))


def _pgbackrest(
    read: RepositoriesRead, repository: RepositoryFacts, asked: ToolAsked
) -> Iterator[str]:
    yield from ("pgbackrest", f"--stanza={repository.name}", f"--set={asked.label}")
    if len(read.repositories) == 1:  # else WAL is taken from each repository that has it
        yield f"--repo={repository.number}"
    yield from asked_words(asked)
    yield from ("--archive-mode=off", "restore")


def _pgbackrest_words(asked: ToolAsked) -> Iterator[str]:
    goal = asked.goal
    yield f"--type={'default' if goal.type == 'none' else goal.type}"
    if (value := _value(goal)) is not None:
        yield f"--target={value}"
        if not goal.inclusive and goal.type != "name":
            yield "--target-exclusive"
    if asked.timeline is not None and goal.type != "immediate":  # it takes none then
        yield f"--target-timeline={asked.timeline}"
    if goal.type != "none":
        yield f"--target-action={goal.action}"


def _barman_words(asked: ToolAsked) -> Iterator[str]:
    goal = asked.goal
    if goal.type == "immediate":
        yield "--target-immediate"
    elif (value := _value(goal)) is not None:
        yield from (f"--target-{goal.type}", value)
        if not goal.inclusive and goal.type != "name":
            yield "--exclusive"
    if asked.timeline is not None:
        yield from ("--target-tli", str(asked.timeline))
    if goal.type != "none":
        yield from ("--target-action", goal.action)


def _value(goal: Goal) -> str | None:
    if goal.time_us is not None:
        return instant(goal.time_us).strftime("%Y-%m-%d %H:%M:%S.%f+00")
    if goal.lsn is not None:
        return format_lsn(goal.lsn)
    return str(goal.xid) if goal.xid is not None else goal.name


def _cloud(repository: RepositoryFacts) -> str:
    providers = {"s3": "aws-s3", "gs": "google-cloud-storage", "az": "azure-blob-storage"}
    scheme = repository.url.partition("://")[0]
    provider = f"--cloud-provider {providers[scheme]} " if scheme in providers else ""
    return f"{provider}{command_word(repository.url)} {command_word(repository.name)}"


def command_word(text: str) -> str:
    """One word for the shell; the server reads %% as one %."""
    return shlex.quote(text).replace("%", "%%")
