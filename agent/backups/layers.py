"""A backup as it is restored: one layer, or a full backup below and increments on top of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Final, NamedTuple

from agent.store.paths import AnyPath
from parsers.values import dataclass

INCREMENT: Final = (
    "INCREMENTAL."  # before the name of a file of which only changed blocks are there
)


class BackupPlace(NamedTuple):
    """A directory or tar that lies there as a backup of any kind does."""

    path: AnyPath
    prefix: str = ""  # where its files belong in the data directory, with a slash at the end


class StoredFile(NamedTuple):
    """One file that a tool stores in its own way."""

    name: str  # in the data directory; of a tablespace, below pg_tblspc/OID
    size_bytes: int
    pieces: Iterator[bytes]  # its content, to be read before the next file; raises UnreadFile


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupLayer:
    """What one backup brings. Of those below stays what it brings as an increment or names."""

    name: str
    places: tuple[BackupPlace, ...] = ()
    files: Callable[[], Iterator[StoredFile]] = lambda: iter(())  # may raise UnreadFile
    files_bytes: int = 0  # of `files`, unpacked; a guess where the tool does not say
    unchanged: Collection[str] = ()  # names of files that the layers below have
