"""The tablespaces of a base backup, and what lies at a tablespace's location on this machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from pathlib import Path
from typing import Final

from agent.denied import is_proof
from agent.store.local import stat_path
from agent.store.paths import AnyPath, StorePath, entries_of, look_at
from parsers.files.tablespace_map import Tablespace
from parsers.sentences import tr
from rules.model.facts import BackupTablespace
from rules.model.restore_inputs import Location

TABLESPACE_MAP: Final = "tablespace_map"
_ROOT: Final = 0


def list_links(backup: AnyPath) -> tuple[BackupTablespace, ...]:
    """What pg_tblspc of a plain backup holds. Lets OSError through."""
    entries = sorted(entries_of(backup / "pg_tblspc"), key=lambda entry: entry.name)
    return tuple(_link(entry) for entry in entries if entry.name.isdecimal())


def _link(entry: os.DirEntry[str] | StorePath) -> BackupTablespace:
    if entry.is_symlink():
        return BackupTablespace(int(entry.name), str(Path(entry.path).readlink()))
    inside = entry if isinstance(entry, StorePath) else Path(entry.path)
    filled = entry.is_dir() and any(entries_of(inside))
    return BackupTablespace(int(entry.name), None, filled=filled)


def find_dangling(backup: AnyPath, links: Collection[BackupTablespace]) -> list[str]:
    """Name each link of a plain backup that leads nowhere: the tablespace's files are lost."""
    return [
        tr(
            "pg_tblspc/{oid} (points to {location}, where there is no directory)",
            oid=link.oid,
            location=link.location,
        )
        for link in links
        if link.location is not None and _is_dangling(backup / "pg_tblspc" / str(link.oid))
    ]


def _is_dangling(link: AnyPath) -> bool:
    """Tell whether a link leads to no directory, where we may look."""
    try:
        return not stat.S_ISDIR(look_at(link).st_mode)
    except OSError as error:
        return is_proof(error)


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
        status = stat_path(path)
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
