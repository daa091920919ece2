"""Find the base backups at or below a directory.

A directory with a `backup_label` is a plain backup. Anything else is searched, level by level, so
that a tree by date is found too. What a drill restores is no backup.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from agent.backups.describe import LABEL, BackupDepth, NotABackup
from agent.backups.plain import read_backup
from agent.backups.tar import BASE_NAMES, is_tar_backup, read_tar_backup
from agent.drill.names import is_scratch
from rules.facts import BackupFacts, BackupsFacts

_MAX_LEVELS: Final = 6  # …/2025/07/01/base and a little more
# Files by which a person would recognise a backup that has lost its label.
_MARKS: Final = frozenset({"PG_VERSION", "backup_manifest", *BASE_NAMES})


def read_backups(url: str, depth: BackupDepth = "files") -> BackupsFacts:
    """Read every backup at or below `url`.

    Raises NotABackup when the directory cannot be listed or holds none at all.
    """
    backups: list[BackupFacts] = []
    unreadable: dict[str, str] = {}
    for path in find_backups(Path(url)):
        try:
            backups.append(read_any_backup(path, depth))
        except NotABackup as error:
            unreadable[str(path)] = str(error)
    if not backups and not unreadable:
        raise NotABackup(f"{url}: no base backup here (no {LABEL} in it or below it)")
    backups.sort(key=lambda backup: (backup.label.start_lsn, backup.url))
    return BackupsFacts(backups=tuple(backups), unreadable=unreadable, depth=depth)


def read_any_backup(path: Path, depth: BackupDepth) -> BackupFacts:
    """Read one backup, plain or tar. Raises NotABackup, also where it cannot be read."""
    try:
        return _read_either(path, depth)
    except OSError as error:
        raise NotABackup(f"{error.filename or path}: cannot be read: {error.strerror}") from None


def _read_either(path: Path, depth: BackupDepth) -> BackupFacts:
    if path.is_file() and not is_tar_backup(path):
        raise NotABackup(f"{path}: neither a directory nor a tar (base.tar, base.tar.gz, ...)")
    if not (path / LABEL).is_file() and is_tar_backup(path):
        return read_tar_backup(path, depth)
    return read_backup(path, depth)


def find_backups(root: Path) -> Iterator[Path]:
    """Paths of backups, level by level. What is a backup is not searched for others.

    Raises NotABackup for a root that cannot be listed.
    """
    level, seen = [str(root)], set[tuple[int, int]]()
    for _ in range(_MAX_LEVELS + 1):
        below: list[str] = []
        for directory in level:
            try:
                status = os.stat(directory)  # noqa: PTH116
                if (status.st_dev, status.st_ino) in seen:
                    continue
                seen.add((status.st_dev, status.st_ino))
                subdirectories, is_backup = _look_into(directory)
            except OSError as error:
                _explain(directory, root, error)
                continue
            if is_backup:
                yield Path(directory)
            else:
                below += sorted(subdirectories)
        level = below


def _look_into(directory: str) -> tuple[list[str], bool]:
    """(subdirectories, whether it is a backup). WAL may lie here too: a million names."""
    subdirectories: list[str] = []
    is_backup = False
    with os.scandir(directory) as entries:
        for entry in entries:
            is_backup = is_backup or entry.name == LABEL or entry.name in _MARKS
            with suppress(OSError):
                if entry.is_dir() and not is_scratch(entry.name):
                    subdirectories.append(entry.path)
    return subdirectories, is_backup


def _explain(directory: str, root: Path, error: OSError) -> None:
    if directory != str(root):
        return
    if isinstance(error, FileNotFoundError):
        raise NotABackup(f"{root}: there is no such directory") from None
    raise NotABackup(f"{root}: cannot be listed: {error.strerror}") from None
