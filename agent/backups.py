"""Base backups on disk: where they are, and what each says of itself.

A directory with a `backup_label` is a plain backup. Anything else is searched, level by level, so
that a tree by date is found too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from parsers.backup_label import BackupLabel, parse_backup_label
from parsers.errors import ParseError
from parsers.segment import NameKind, is_segment_size, parse_wal_name
from rules.backups import label_time
from rules.facts import BackupFacts, BackupsFacts

_LABEL: Final = "backup_label"
_MAX_LEVELS: Final = 6  # …/2025/07/01/base and a little more
# Files by which a person would recognise a backup that has lost its label.
_MARKS: Final = ("PG_VERSION", "backup_manifest", "base.tar", "base.tar.gz")


class NotABackup(Exception):
    """The path holds no base backup that can be read. One line, with what is missing."""


BackupDepth = Literal["label", "files", "checksums"]


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
        raise NotABackup(f"{url}: no base backup here (no {_LABEL} in it or below it)")
    backups.sort(key=lambda backup: (backup.label.start_lsn, backup.url))
    return BackupsFacts(backups=tuple(backups), unreadable=unreadable)


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
    if _LABEL in names or any(mark in names for mark in _MARKS):
        yield root
        return
    if level < _MAX_LEVELS:
        for name in names:
            if (root / name).is_dir():
                yield from _find(root / name, level + 1)


def read_backup(path: Path, depth: BackupDepth) -> BackupFacts:
    """Read one plain backup. Raises NotABackup with the reason."""
    label = _read_label(path)
    wal, segment_size = _own_wal(path)
    return BackupFacts(
        url=str(path),
        label=label,
        stop_lsn=None,
        stop_timeline=None,
        started_at=label_time(label.started_at_text),
        finished_at=None,
        system_identifier=None,
        major=_major(path),
        segment_size_bytes=segment_size,
        wal=wal,
        missing_files=(),
        files_checked=None,
        depth="label",
    )


def _read_label(path: Path) -> BackupLabel:
    try:
        return parse_backup_label((path / _LABEL).read_bytes())
    except FileNotFoundError:
        raise NotABackup(
            f"{path}: no {_LABEL}: it was started once, or copied without it; a restore would "
            "take it for a crashed server"
        ) from None
    except OSError as error:
        raise NotABackup(f"{path}/{_LABEL}: cannot be read: {error.strerror}") from None
    except ParseError as error:
        raise NotABackup(
            f"{path}/{_LABEL}: {error}: restore the file from another copy of this backup"
        ) from None


def _own_wal(path: Path) -> tuple[frozenset[str], int | None]:
    """Complete segments in the backup's own pg_wal, and their size in bytes."""
    sizes: dict[str, int] = {}
    try:
        with os.scandir(path / "pg_wal") as entries:
            for entry in entries:
                parsed = parse_wal_name(entry.name)
                if parsed and parsed.kind is NameKind.SEGMENT and not parsed.compression:
                    sizes[entry.name] = entry.stat().st_size
    except OSError:
        return frozenset(), None
    legal = {size for size in sizes.values() if is_segment_size(size)}
    size = legal.pop() if len(legal) == 1 else None
    return frozenset(name for name in sizes if sizes[name] == size), size


def _major(path: Path) -> int | None:
    try:
        return int((path / "PG_VERSION").read_text().strip())
    except (OSError, ValueError):
        return None
