"""Folders and files of a repository, by their path on this machine or address in a store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from agent.store.local import (
    NotAFile,
    no_file,
    open_file,
    scan_directory,
    stat_path,
)
from agent.store.reading import open_at
from agent.store.urls import is_remote
from parsers.sentences import tr
from parsers.values import dataclass
from rules.model.facts import ArchivedFile

SMALL_BYTES: Final = 64 << 20  # an info file
MANIFEST_BYTES: Final = 1 << 30  # some 200 bytes a file of the backup
_ABOVE_ALL: Final = "0"  # the character after the slash


@dataclass(frozen=True, slots=True)
class Folder:
    """What lies directly in a folder."""

    folders: tuple[str, ...]
    files: Mapping[str, ArchivedFile]


def read(path: str, limit_bytes: int = SMALL_BYTES) -> bytes:
    """The bytes of a file as they are stored. Raises FileNotFoundError, OSError."""
    with open_at(path) as file:
        data = file.read(limit_bytes + 1)
    if len(data) > limit_bytes:
        raise NotAFile(None, tr("larger than {limit} bytes", limit=limit_bytes), path)
    return data


def read_range(path: str, start: int, length: int) -> bytes:
    """A range of a file; shorter at its end. Raises FileNotFoundError, OSError."""
    if is_remote(path):
        from agent.store.objects import store_of
        from agent.store.urls import place_of

        return store_of(path).read(place_of(path).key, start, length).data if length else b""
    with open_file(path) as file:
        file.seek(start)
        return file.read(length)


def list_folder(path: str) -> Folder:
    """Raises FileNotFoundError where nothing lies, OSError. Links to folders are not followed."""
    found = _list_prefix(path) if is_remote(path) else _list_directory(path)
    return Folder(tuple(sorted(found[0])), found[1])


def exists(path: str) -> bool:
    """Whether there is a file or folder. Raises OSError where that cannot be told."""
    try:
        if is_remote(path):
            folder, _, name = path.rpartition("/")
            listed = list_folder(folder)
            return name in listed.files or name in listed.folders
        stat_path(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def walk(path: str) -> Iterator[ArchivedFile]:
    """Every file below a folder. What vanishes meanwhile is left out. Raises OSError."""
    if is_remote(path):
        from agent.store.objects import list_objects

        above = path[: path.index("://") + 3] + path.partition("://")[2].partition("/")[0]
        for entry in list_objects(path):
            directory, _, name = entry.key.rpartition("/")
            yield ArchivedFile(f"{above}/{directory}", name, *entry[1:])
        return
    pending = [path]
    while pending:
        directory = pending.pop()
        try:
            folders, files = _list_directory(directory)
        except FileNotFoundError:
            if directory == path:
                raise
            continue
        yield from files.values()
        pending += [f"{directory}/{name}" for name in folders]


def _list_directory(path: str) -> tuple[list[str], dict[str, ArchivedFile]]:
    folders: list[str] = []
    files: dict[str, ArchivedFile] = {}
    with scan_directory(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
                continue
            try:
                status = entry.stat()
            except FileNotFoundError:  # it vanished, or is a link to nothing
                continue
            if no_file(status.st_mode) is None:
                times = status.st_mtime_ns, status.st_ctime_ns
                files[entry.name] = ArchivedFile(path, entry.name, status.st_size, *times)
    return folders, files


def _list_prefix(path: str) -> tuple[list[str], dict[str, ArchivedFile]]:
    """One question for each folder: what lies below it is passed over."""
    from agent.store.objects import list_objects
    from agent.store.urls import place_of

    begin = f"{place_of(path).key}/".removeprefix("/")
    folders: list[str] = []
    files: dict[str, ArchivedFile] = {}
    after: str | None = None
    while True:
        for entry in list_objects(path, after):
            name, slash, _ = entry.key.removeprefix(begin).partition("/")
            if slash:
                folders.append(name)
                after = f"{begin}{name}{_ABOVE_ALL}"
                break
            files[name] = ArchivedFile(path, name, *entry[1:])
        else:
            break
    if not folders and not files:
        raise FileNotFoundError(2, tr("nothing lies there"), path)
    return folders, files
