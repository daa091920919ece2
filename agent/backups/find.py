"""Find the base backups at or below a directory.

A directory with a `backup_label` is a plain backup. Anything else is searched, level by level, so
that a tree by date is found too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.backups.plain import LABEL, BackupDepth, NotABackup, read_backup
from rules.facts import BackupFacts, BackupsFacts

_MAX_LEVELS: Final = 6  # …/2025/07/01/base and a little more
# Files by which a person would recognise a backup that has lost its label.
_MARKS: Final = ("PG_VERSION", "backup_manifest", "base.tar", "base.tar.gz")


def read_backups(url: str, depth: BackupDepth = "files") -> BackupsFacts:
    """Read every backup at or below `url`.

    Raises NotABackup when the directory cannot be listed or holds none at all.
    """
    backups: list[BackupFacts] = []
    unreadable: dict[str, str] = {}
    for path in _find(Path(url)):
        try:
            backups.append(read_backup(path, depth))
        except NotABackup as error:
            unreadable[str(path)] = str(error)
    if not backups and not unreadable:
        raise NotABackup(f"{url}: no base backup here (no {LABEL} in it or below it)")
    backups.sort(key=lambda backup: (backup.label.start_lsn, backup.url))
    return BackupsFacts(backups=tuple(backups), unreadable=unreadable, depth=depth)


def _find(root: Path, level: int = 0) -> Iterator[Path]:
    try:
        names = sorted(os.listdir(root))  # noqa: PTH208 - names alone
    except FileNotFoundError:
        if level == 0:
            raise NotABackup(f"{root}: there is no such directory") from None
        return
    except OSError as error:
        if level == 0:
            raise NotABackup(f"{root}: cannot be listed: {error.strerror}") from None
        return
    if LABEL in names or any(mark in names for mark in _MARKS):
        yield root
        return
    if level < _MAX_LEVELS:
        for name in names:
            if (root / name).is_dir():
                yield from _find(root / name, level + 1)
