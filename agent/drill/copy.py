"""A backup's files into the scratch area: plain or tar, its tablespaces beside it.

No link of a backup is followed to where it points from the data directory: tablespaces get links of
our own, pg_wal is a directory, every other link and special file is left out, as pg_basebackup
leaves them out. Replication slots are not restored.
"""

from __future__ import annotations

import re
import stat
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import field
from functools import partial
from pathlib import Path
from typing import Final

from agent.archive.tar import BrokenTar, Directory, NoFile, read_entries
from agent.backups.describe import LABEL
from agent.backups.layers import BackupLayer, BackupPlace
from agent.backups.tar import is_tar_backup, tars_of
from agent.drill.area import Area
from agent.drill.content import copy_content
from agent.drill.deadline import Crew
from agent.drill.errors import CannotDrill
from agent.drill.increments import apply_increments, make_label_whole
from agent.drill.space import Room
from agent.repositories.backup import UnreadFile
from agent.store.paths import AnyPath, entries_of, look_at
from parsers.sentences import tr
from parsers.values import dataclass
from rules.model.counted import all_of

# What a server may not find, or recreates: `tablespace_map` has the original paths.
_NOT_RESTORED: Final = frozenset({
    "postmaster.pid", "postmaster.opts", "recovery.signal", "standby.signal", "tablespace_map",
    "backup_manifest", "postgresql.auto.conf.tmp",
})  # fmt: skip
_EMPTIED: Final = ("pg_replslot", "pg_stat_tmp", "pg_dynshmem", "pg_notify", "pg_snapshots")
# initdb makes them, and a server needs them; a copy that lacks an empty one is still a backup.
_DIRECTORIES: Final = (
    "pg_wal", "pg_wal/archive_status", "pg_tblspc", "pg_stat", "pg_twophase", "pg_commit_ts",
    "pg_serial", "pg_subtrans", "pg_logical", "pg_logical/snapshots", "pg_logical/mappings",
    *_EMPTIED,
)  # fmt: skip
_TABLESPACE: Final = re.compile(r"pg_tblspc/([1-9][0-9]{0,9})\Z")
_CHUNK_BYTES: Final = 1 << 20
_SMALL_BYTES: Final = 64 << 10  # what a file costs at least, in bytes that could be copied instead
_PARCEL_BYTES: Final = 16 << 20
_CHECK_BYTES: Final = 16 << 20  # copied between two looks at the room that is left
_COPY_THREADS: Final = 2


@dataclass(slots=True)
class Copied:
    """What was copied, and what is being copied."""

    bytes: int = 0
    files: int = 0
    left_out: list[str] = field(default_factory=list)  # links and special files
    tablespaces: dict[int, Path] = field(default_factory=dict)
    reading: set[str] = field(default_factory=set)  # paths, at this moment
    abandoned: bool = False  # it is no longer wanted: nothing more is to be written

    def doing(self) -> str:
        """What is going on, for a person: a file that does not come is among those."""
        if self.reading:
            return tr("while reading {files}", files=all_of(sorted(self.reading)))
        return tr("while reading the backup's directories")

    def abandon(self) -> None:
        self.abandoned = True

    def require_wanted(self) -> None:
        if self.abandoned:
            raise CannotDrill(tr("the copy was abandoned"))


def backup_bytes(layers: Sequence[BackupLayer]) -> int:
    """What a backup takes unpacked; of a compressed tar no more than a guess."""
    return sum(
        layer.files_bytes + sum(_place_bytes(each.path) for each in layer.places)
        for layer in layers
    )


def _place_bytes(backup: AnyPath) -> int:
    if _is_tar(backup):
        return sum(_unpacked_bytes(tar.path) for tar in tars_of(backup))
    return sum(each.size_bytes for each in _walk(backup) if each.kind == "file")


def _unpacked_bytes(tar: AnyPath) -> int:
    size = look_at(tar).st_size
    return size if tar.suffix == ".tar" else 4 * size


def copy_backup(layers: Sequence[BackupLayer], area: Area, room: Room, copied: Copied) -> None:
    """Put a backup where the scratch server will find it, and tell it `copied`.

    Raises CannotDrill.
    """
    target = _Target(area, room, copied)
    for layer in layers:
        try:
            for place in layer.places:
                if _is_tar(place.path):
                    _unpack(place, target, copied)
                else:
                    _copy_plain(place, target)
            _write_files(layer, target, copied)
            target.finish_layer(layer)
        except (BrokenTar, UnreadFile) as error:
            why = tr("{name}: {error}: the backup is not whole", name=layer.name, error=error)
            raise CannotDrill(why) from None
        except OSError as error:
            where = error.filename or layer.name
            why = tr(
                "the copy of {name} ended at {where}: {reason}",
                name=layer.name,
                where=where,
                reason=error.strerror,
            )
            raise CannotDrill(why) from None
    target.finish()


def _is_tar(backup: AnyPath) -> bool:
    return not (backup / LABEL).is_file() and is_tar_backup(backup)


# -- where things go ------------------------------------------------------------------------------


class _Target:
    """The data directory of the scratch area, and its tablespaces."""

    def __init__(self, area: Area, room: Room, copied: Copied) -> None:
        self._area = area
        self._room = room
        self._copied = copied
        self._made: set[Path] = {area.account.make_directory(area.data)}
        self._below: set[Path] = set()  # files of the layers below
        self._files: set[Path] = set()  # of this layer
        self._unchecked_bytes = _CHECK_BYTES

    def place(self, name: str) -> Path | None:
        """Where the file or directory of this name goes; None for one that is not restored."""
        parts = name.rstrip("/").split("/")
        if name in _NOT_RESTORED or (len(parts) > 1 and parts[0] in _EMPTIED):
            return None
        if any(part in ("", ".", "..") for part in parts):
            raise CannotDrill(
                tr("the backup names a file {name!r}, which would lie outside of it", name=name)
            )
        if len(parts) > 1 and _TABLESPACE.match("/".join(parts[:2])):
            directory = self._tablespace(int(parts[1]))
            # A server keeps its files in PG_<major>_<catalog>; what else lies there is not its own.
            foreign = len(parts) > 2 and not parts[2].startswith("PG_")
            return None if foreign else directory.joinpath(*parts[2:])
        return self._area.data.joinpath(*parts)

    def _tablespace(self, oid: int) -> Path:
        """The directory of a tablespace, with the link to it."""
        directory = self._copied.tablespaces.get(oid)
        if directory is None:
            directory = self._area.tablespaces / str(oid)
            self._area.account.make_directory(directory)
            self._copied.tablespaces[oid] = directory
        return directory

    def make_directory(self, path: Path) -> None:
        if path not in self._made:
            self._made.add(path)
            if not path.is_dir():
                self.make_directory(path.parent)
                path.mkdir(mode=0o700)
                self._area.account.own(path)

    def accept(self, path: Path, size_bytes: int) -> None:
        """Make ready for a file of this size."""
        self._copied.require_wanted()
        self._unchecked_bytes += max(size_bytes, _SMALL_BYTES)
        if self._unchecked_bytes >= _CHECK_BYTES:
            self._room.require(size_bytes, tr("the next file takes"))
            self._unchecked_bytes = 0
        self.make_directory(path.parent)
        self._files.add(path)
        self._copied.files += 1
        self._copied.bytes += size_bytes

    def copy(self, found: _Found, place: Path) -> None:
        """Copy a file that was accepted."""
        self._copied.reading.add(found.path)
        try:
            copy_content(found.path, place, self._copied.require_wanted)
        finally:
            self._copied.reading.discard(found.path)
        self.own(place)

    def write(self, pieces: Iterable[bytes], place: Path) -> None:
        """The same for content that comes in pieces."""
        with place.open("wb") as file:
            for piece in pieces:
                self._copied.require_wanted()
                file.write(piece)
        self.own(place)

    def leave_out(self, name: str) -> None:
        self._copied.left_out.append(name)

    def own(self, path: Path) -> None:
        path.chmod(0o600)
        self._area.account.own(path)

    def finish_layer(self, layer: BackupLayer) -> None:
        """Put its increments in their places, and take away what it has no more."""
        files = apply_increments(self._files)
        unchanged = (self.place(name) for name in layer.unchanged)
        files |= self._below.intersection(path for path in unchanged if path is not None)
        for path in self._below - files:
            path.unlink(missing_ok=True)
        self._below, self._files = files, set()

    def finish(self) -> None:
        """Link the tablespaces, and make what a copy may lack."""
        make_label_whole(self._area.data / LABEL)
        for name in _DIRECTORIES:
            self.make_directory(self._area.data / name)
        for oid, directory in self._copied.tablespaces.items():
            link = self._area.data / "pg_tblspc" / str(oid)
            link.symlink_to(directory)


# -- plain ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    name: str  # in the data directory
    path: str
    kind: str  # file, directory, other
    size_bytes: int


def _copy_plain(source: BackupPlace, target: _Target) -> None:
    with _Copier(target) as copier:
        for found in _walk(source.path):
            place = target.place(source.prefix + found.name)
            if place is None:
                continue
            if found.kind == "directory":
                target.make_directory(place)
            elif found.kind == "file":
                target.accept(place, found.size_bytes)
                copier.add(found, place)
            else:
                target.leave_out(found.name)


class _Copier:
    """Copies files beside the walk, in parcels: the kernel does the work, without Python's lock."""

    def __init__(self, target: _Target) -> None:
        self._target = target
        self._crew = Crew(_COPY_THREADS, "copy")
        self._under_way: deque[Future[None]] = deque()
        self._parcel: list[tuple[_Found, Path]] = []
        self._parcel_bytes = 0

    def add(self, found: _Found, place: Path) -> None:
        """Have one file copied, soon. Raises what the copy of one before has raised."""
        self._parcel.append((found, place))
        self._parcel_bytes += max(found.size_bytes, _SMALL_BYTES)
        if self._parcel_bytes >= _PARCEL_BYTES:
            self._send()
            if len(self._under_way) > 2 * _COPY_THREADS:
                self._under_way.popleft().result()

    def _send(self) -> None:
        parcel, self._parcel, self._parcel_bytes = self._parcel, [], 0
        self._under_way.append(self._crew.submit(lambda: self._copy(parcel)))

    def _copy(self, parcel: list[tuple[_Found, Path]]) -> None:
        for found, place in parcel:
            self._target.copy(found, place)

    def __enter__(self) -> _Copier:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._send()
                for task in self._under_way:
                    task.result()
        finally:
            self._crew.dismiss()


def _walk(backup: AnyPath, name: str = "") -> Iterator[_Found]:
    """Everything in a directory, directories before what is in them."""
    for entry in sorted(entries_of(backup), key=lambda entry: entry.name):
        inner = name + entry.name
        follow = inner == "pg_wal" or _TABLESPACE.match(inner) is not None
        status = entry.stat(follow_symlinks=follow)
        if stat.S_ISDIR(status.st_mode):
            yield _Found(inner, entry.path, "directory", 0)
            yield from _walk(backup / entry.name, f"{inner}/")
        else:
            kind = "file" if stat.S_ISREG(status.st_mode) else "other"
            yield _Found(inner, entry.path, kind, status.st_size)


# -- tar ------------------------------------------------------------------------------------------


def _unpack(source: BackupPlace, target: _Target, copied: Copied) -> None:
    """Unpack base.tar, a tar for each tablespace, pg_wal.tar."""
    for tar in tars_of(source.path):
        copied.reading.add(str(tar.path))
        for entry in read_entries(str(tar.path)):
            if isinstance(entry, NoFile) or not entry.name.startswith(tar.folder):
                continue
            name = (tar.prefix + entry.name.removeprefix(tar.folder)).rstrip("/")
            place = target.place(source.prefix + name) if name.strip(".") else None
            if place is None:
                continue
            if isinstance(entry, Directory):
                target.make_directory(place)
            else:
                target.accept(place, entry.size_bytes)
                target.write(iter(partial(entry.read, _CHUNK_BYTES), b""), place)
        copied.reading.remove(str(tar.path))


# -- as a tool stores it --------------------------------------------------------------------------


def _write_files(layer: BackupLayer, target: _Target, copied: Copied) -> None:
    for file in layer.files():
        place = target.place(file.name)
        if place is not None:
            copied.reading.add(file.name)
            target.accept(place, file.size_bytes)
            target.write(file.pieces, place)
            copied.reading.discard(file.name)
