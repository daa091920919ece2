"""The `restore_command` that serves an archive as it lies there."""

from __future__ import annotations

import os
import shutil
import sysconfig
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Final

from agent.archive.pg_wal import LAYOUT as PG_WAL
from agent.store.urls import is_remote, whole
from parsers.segment import PARTIAL_SUFFIX
from rules.model.facts import ArchiveFacts
from rules.model.repository import RepositoriesRead
from rules.recovery.settings_block import settings_block
from rules.repository.command import command_word, restore_command_of, tool_command
from rules.verdict.report import Report

_PROGRAM: Final = "pitr-agent"


def block_to_paste(report: Report) -> str | None:
    """The settings for the restore that was predicted; None when it would not end well."""
    outcome, backup = report.target.prediction, report.target.backup
    tools = report.case.get(RepositoriesRead)
    if tools is not None and report.target.via == "tool":
        proven = report.target.best
        return tool_command(tools, proven, report.asked.goal) if proven else None
    if outcome is None or backup is None or not outcome.reachable:
        return None
    archives = [*(archive.facts for archive in report.archives), *report.elsewhere]
    if tools is not None:
        command = restore_command_of(tools)
    else:
        command = restore_command(archives, outcome.segments_needed)
    return settings_block(report.asked.goal, command, outcome.needs, backup)


def restore_command(archives: Sequence[ArchiveFacts], needed: Iterable[str]) -> str:
    """`cp` where every segment needed is a plain file of one directory, else our own fetch-wal.

    An unfinished segment (`.partial`) can be given to no server under that name: the command is
    then for the archives after it was copied there.
    """
    needed = tuple(needed)
    if _has_partial(archives, needed):
        archives = [archive for archive in archives if archive.layout != PG_WAL] or archives
    if len(archives) == 1 and _is_flat(archives[0], needed):
        return f"cp {_place(archives[0])}/%f %p"
    named = " ".join(f"--archive {_place(archive)}" for archive in archives)
    return f"{_fetch_wal()} {named} %f %p"


def _has_partial(archives: Sequence[ArchiveFacts], needed: Collection[str]) -> bool:
    for archive in archives:
        for file in map(archive.segments.get, needed):
            if file is not None and file.name.endswith(PARTIAL_SUFFIX):
                return True
    return False


def _fetch_wal() -> str:
    """Our restore_command, by its whole path where a shell would not find it."""
    program = Path(sysconfig.get_path("scripts")) / _PROGRAM
    found = shutil.which(_PROGRAM)
    by_name = not program.exists() or (found and Path(found).resolve() == program.resolve())
    return f"{_PROGRAM if by_name else command_word(str(program))} fetch-wal"


def _is_flat(archive: ArchiveFacts, needed: Collection[str]) -> bool:
    if is_remote(archive.url):
        return False
    root = os.path.normpath(archive.url)  # as the listing has it
    for name, file in zip(needed, map(archive.segments.get, needed), strict=True):
        if file is not None and (
            file.name != name or file.directory != root or name in archive.copies
        ):
            return False
    return archive.compressed.isdisjoint(needed)


def _place(archive: ArchiveFacts) -> str:
    """The server runs the command in its data directory: a relative path would lead elsewhere."""
    return command_word(named_anywhere(archive.url))


def named_anywhere(url: str) -> str:
    """An archive as a program in another directory can name it."""
    return whole(url) if is_remote(url) else str(Path(url).absolute())
