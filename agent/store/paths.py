"""Paths of evidence: `pathlib.Path` on this machine, a StorePath for what lies in a store.

Who reads backups, or WAL outside of an archive, reads both through the functions here. A StorePath
answers from one listing of all that lies below the address it was made from, so a backup of a
million files costs a thousand requests and not a million. It has no `__fspath__`: a call of the
system would look for it on this machine, and call it absent.
"""

from __future__ import annotations

import errno
import functools
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from agent.store.local import (
    NO_TARGET,
    NotAFile,
    no_file,
    open_file,
    scan_directory,
    stat_path,
)
from agent.store.reading import leads_out
from agent.store.urls import is_remote, place_of
from parsers.sentences import tr

if TYPE_CHECKING:
    from agent.store.entries import Entry

_NS: Final = 10**9
_FIRST_BYTES: Final = 8 << 20
_ABSENT: Final = tr("there is no such object")


class Status(NamedTuple):
    """What of an os.stat_result a store tells."""

    st_mode: int
    st_size: int
    st_mtime_ns: int
    st_ctime_ns: int

    @property
    def st_ctime(self) -> float:
        return self.st_ctime_ns / _NS


class StorePath:
    """An address in an object store. Its methods are those of pathlib.Path and of os.DirEntry.

    All raise StoreError where the store does not say what lies there.
    """

    __slots__ = ("_tree", "url")

    def __init__(self, url: str, tree: _Tree | None = None) -> None:
        self.url = url
        self._tree = tree or _Tree(url)

    def __str__(self) -> str:
        return self.url

    def __repr__(self) -> str:
        return f"StorePath({self.url!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StorePath) and other.url == self.url

    def __lt__(self, other: StorePath) -> bool:
        return self.url < other.url

    def __hash__(self) -> int:
        return hash(self.url)

    def __truediv__(self, name: str) -> StorePath:
        return StorePath(f"{self.url}/{name}", self._tree)

    @property
    def path(self) -> str:
        return self.url

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> StorePath:
        above = self.url.rpartition("/")[0]
        return StorePath(above, self._tree if self.url != self._tree.root else None)

    def stat(self, *, follow_symlinks: bool = True) -> Status:
        """Raises FileNotFoundError."""
        if self.is_dir():  # beside it there may be an object of no bytes that marks it
            return Status(stat.S_IFDIR, 0, 0, 0)
        entry = self._tree.file(self._key)
        if entry is None:
            raise FileNotFoundError(errno.ENOENT, _ABSENT, self.url)
        return Status(stat.S_IFREG, *entry[1:])

    def exists(self) -> bool:
        return self.is_dir() or self._tree.file(self._key) is not None

    def is_file(self) -> bool:
        return self.exists() and not self.is_dir()

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        return self._key in self._tree.directories

    def is_symlink(self) -> bool:
        return False

    def iterdir(self) -> Iterator[StorePath]:
        """Raises FileNotFoundError, NotADirectoryError."""
        if not self.is_dir():
            self.stat()
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), self.url)
        return (self / name for name in self._tree.directories[self._key])

    def walk(self) -> Iterator[StorePath]:
        """Every object below, itself too if it is one."""
        if not self.is_dir():
            if self.exists():
                yield self
            return
        for each in self.iterdir():
            yield from each.walk()

    def open(self) -> IO[bytes]:
        """Raises FileNotFoundError."""
        from agent.store.objects import open_object

        if self.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), self.url)
        return open_object(self.url, min(self.stat().st_size, _FIRST_BYTES))

    @property
    def _key(self) -> str:
        return place_of(self.url).key


class _Tree:
    """What lies below an address, or under it: listed once, when it is first asked for."""

    def __init__(self, root: str, leave_out: Callable[[str, str], bool] | None = None) -> None:
        self.root = root
        self._leave_out = leave_out or (lambda directory, name: False)
        self._failure: OSError | None = None

    def file(self, key: str) -> Entry | None:
        return self._listed[0].get(key)

    @property
    def directories(self) -> dict[str, dict[str, None]]:
        """The names in each, in the order of the keys. Of an empty prefix there is none."""
        return self._listed[1]

    @functools.cached_property
    def _all(self) -> tuple[dict[str, Entry], dict[str, dict[str, None]]]:
        from agent.store.objects import find_object, list_objects

        top, files, directories = place_of(self.root).key, {}, dict[str, dict[str, None]]()
        for entry in list_objects(self.root):
            directory, _, name = entry.key.rpartition("/")
            if not self._leave_out(directory, name):
                files[entry.key] = entry
                _enter(directories, directory, name, top)
        if top and not files and (itself := find_object(self.root)):
            files[top] = itself
        return files, directories

    @property
    def _listed(self) -> tuple[dict[str, Entry], dict[str, dict[str, None]]]:
        """Asked once, also where it fails: each of a million files would ask again."""
        if self._failure is not None:
            raise self._failure
        try:
            return self._all
        except OSError as error:
            self._failure = error
            raise


def _enter(directories: dict[str, dict[str, None]], directory: str, name: str, top: str) -> None:
    while True:
        names = directories.get(directory)
        if names is not None:
            names[name] = None
            return
        directories[directory] = {name: None}
        if len(directory) <= len(top):
            return
        directory, _, name = directory.rpartition("/")


AnyPath = Path | StorePath


def any_path(place: str, leave_out: Callable[[str, str], bool] | None = None) -> AnyPath:
    """The path of a bare address or of a file here.

    `leave_out` is asked with (directory, name) of each object: what nobody will ask for is not
    kept in memory.
    """
    return StorePath(place, _Tree(place, leave_out)) if is_remote(place) else Path(place)


def open_path(path: AnyPath, within: AnyPath | None = None) -> IO[bytes]:
    """Open a regular file or an object, at once. Raises OSError.

    NotAFile is raised for whatever else has the name, so that only a name that nothing has is
    absent; with `within`, also for a link that leads out of that directory.
    """
    if isinstance(path, StorePath):
        if within is not None:
            require_inside(path, within)
        return path.open()
    try:
        return open_file(path, within=str(within) if within is not None else None)
    except OSError as error:
        raise _no_file(path, error) from None


def look_at(path: AnyPath) -> os.stat_result | Status:
    """The status of whatever has the name. Raises OSError."""
    return path.stat() if isinstance(path, StorePath) else stat_path(path)


def status_of(path: AnyPath) -> os.stat_result | Status:
    """The status of a regular file or an object. Raises OSError, NotAFile as `open_path`."""
    try:
        status = look_at(path)
    except OSError as error:
        raise _no_file(path, error) from None
    if kind := no_file(status.st_mode):
        raise NotAFile(errno.EINVAL, kind, str(path))
    return status


def require_inside(path: AnyPath, root: AnyPath) -> None:
    """Raise NotAFile for a link that leads out of a directory: it holds somebody else's file."""
    if leads_out(str(path), str(root)):
        raise _no_file(path, OSError(errno.EXDEV, "", str(path)))


def _no_file(path: AnyPath, error: OSError) -> OSError:
    """The error of what has the name and is no file; the same error for anything else."""
    kind = {
        errno.EISDIR: tr("a directory, not a file"),
        errno.ELOOP: tr("a link to itself, not a file"),
    }
    said = kind.get(error.errno or 0)
    if error.errno == errno.ENOENT and path.is_symlink():
        said = NO_TARGET
    if error.errno == errno.EXDEV:
        said = tr("a link that leads out of the backup")
    return NotAFile(errno.EINVAL, said, str(path)) if said else error


def read_path(path: AnyPath, limit_bytes: int, within: AnyPath | None = None) -> bytes:
    """The whole of a small file. Raises OSError, also for one that is larger than it can be."""
    with open_path(path, within) as file:
        file.seek(0, os.SEEK_END)
        if file.tell() > limit_bytes:
            raise too_large(path, limit_bytes)
        file.seek(0)
        return file.read(limit_bytes)


def too_large(path: AnyPath, limit_bytes: int) -> OSError:
    """The error of a file that is larger than it can be."""
    said = tr("larger than {size} MiB", size=limit_bytes >> 20)
    return OSError(errno.EFBIG, said, str(path))


def entries_of(path: AnyPath) -> Iterator[os.DirEntry[str] | StorePath]:
    """What a directory holds. Raises OSError."""
    if isinstance(path, StorePath):
        yield from path.iterdir()
        return
    with scan_directory(path) as entries:
        yield from entries
