"""The tablespaces of a base backup, and what lies at a tablespace's location on this machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from pathlib import Path
from typing import Final

from parsers.errors import ParseError
from parsers.tablespace_map import Tablespace, parse_tablespace_map
from rules.facts import BackupTablespace
from rules.restore import Location

TABLESPACE_MAP: Final = "tablespace_map"
_ROOT: Final = 0


def read_map(data: bytes, version: bytes | None) -> tuple[Tablespace, ...]:
    """Parse tablespace_map with the backup's PG_VERSION. Raises ParseError."""
    try:
        return parse_tablespace_map(data, major=int(version or b"14"))
    except ValueError:
        raise ParseError("PG_VERSION is not a number") from None


def list_links(backup: Path) -> tuple[BackupTablespace, ...]:
    """What pg_tblspc of a plain backup holds. Lets OSError through."""
    with os.scandir(backup / "pg_tblspc") as entries:
        return tuple(_link(entry) for entry in sorted(entries, key=lambda entry: entry.name)
                     if entry.name.isdecimal())  # fmt: skip


def _link(entry: os.DirEntry[str]) -> BackupTablespace:
    if entry.is_symlink():
        return BackupTablespace(int(entry.name), str(Path(entry.path).readlink()))
    filled = entry.is_dir() and any(os.scandir(entry.path))
    return BackupTablespace(int(entry.name), None, filled=filled)


def find_dangling(backup: Path, links: Collection[BackupTablespace]) -> list[str]:
    """Name each link of a plain backup that leads nowhere: the tablespace's files are lost."""
    return [
        f"pg_tblspc/{link.oid} (points to {link.location}, where there is no directory)"
        for link in links
        if link.location is not None and not (backup / "pg_tblspc" / str(link.oid)).is_dir()
    ]


def with_map(
    spaces: Collection[BackupTablespace], mapped: Collection[Tablespace]
) -> tuple[BackupTablespace, ...]:
    """Let tablespace_map decide, as the server does, which links there will be."""
    filled = {space.oid for space in spaces if space.filled}
    links = {space.oid: space for space in spaces}
    links |= {
        space.oid: BackupTablespace(
            space.oid, space.path, mapped=True, filled=space.oid in filled
        )
        for space in mapped
    }  # fmt: skip
    return tuple(links[oid] for oid in sorted(links))


def find_location(path: str, *, major: int) -> Location | None:
    """Look at a tablespace's location on this machine; None where that is not allowed.

    `major` is the server's: what another major has in the same directory is apart from it.
    """
    try:
        status = Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return Location.ABSENT
    except (OSError, ValueError):
        return None
    if status.st_uid == _ROOT:
        return Location.OF_ROOT
    if not stat.S_ISDIR(status.st_mode):
        return Location.NOT_A_DIRECTORY
    try:
        versions = list(Path(path).glob(f"PG_{major}_*"))
        used = any(any(version.iterdir()) for version in versions)
    except OSError:
        return Location.USABLE
    return Location.IN_USE if used else Location.USABLE
