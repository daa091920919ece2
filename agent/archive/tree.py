"""Walking a directory tree that holds WAL: flat, or nested by date in any way.

Symbolic links to directories are followed once, a loop of them ends. A data directory or plain
backup below the root is left out: its pg_wal belongs to it; so is a drill's scratch area. A
directory that cannot be entered is an error, because what it holds would be judged missing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Final

from agent.drill.names import is_scratch

_NOT_OURS: Final = frozenset({"lost+found"})


class CannotList(Exception):
    """A directory cannot be listed. One line for a person."""


def walk_files(root: str) -> Iterator[tuple[str, str]]:
    """Yield (directory, name) of every file. What appears or vanishes meanwhile is normal."""
    pending, seen = [root], set[tuple[int, int]]()
    while pending:
        directory = pending.pop()
        if not _enter(directory, root, seen):
            continue
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    if not _is_directory(entry):
                        yield directory, entry.name
                    elif not _is_left_out(entry.name):
                        pending.append(entry.path)
        except OSError as error:
            _explain(directory, root, error)


def find_files(root: str, names: Sequence[str]) -> Iterator[str]:
    """Yield the paths of the files below `root` that have one of `names`, without listing leaves.

    A directory that links to nothing but itself and its parent has no subdirectories: there the
    names are asked for, as a directory may hold a million others.
    """
    pending, seen = [root], set[tuple[int, int]]()
    while pending:
        directory = pending.pop()
        status = _enter(directory, root, seen)
        if status is None:
            continue
        for name in names:
            path = f"{directory}/{name}"
            if os.path.isfile(path) or os.path.islink(path):  # noqa: PTH113, PTH114
                yield path
        if status.st_nlink != 2:
            pending += _subdirectories(directory, root)


def _subdirectories(directory: str, root: str) -> list[str]:
    try:
        with os.scandir(directory) as entries:
            return [e.path for e in entries if _is_directory(e) and not _is_left_out(e.name)]
    except OSError as error:
        _explain(directory, root, error)
        return []


def _enter(directory: str, root: str, seen: set[tuple[int, int]]) -> os.stat_result | None:
    """The status of a directory to look into; None for one seen before or not part of it."""
    try:
        status = os.stat(directory)  # noqa: PTH116 - strings: a tree can hold a million names
    except OSError as error:
        _explain(directory, root, error)
        return None
    if (status.st_dev, status.st_ino) in seen:
        return None
    seen.add((status.st_dev, status.st_ino))
    if directory != root and os.path.lexists(f"{directory}/PG_VERSION"):
        return None
    return status


def _is_left_out(name: str) -> bool:
    return name in _NOT_OURS or is_scratch(name)


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a symbolic link that leads to itself


def _explain(directory: str, root: str, error: OSError) -> None:
    """Raise CannotList, except for a directory below the root that vanished."""
    if not isinstance(error, FileNotFoundError):
        raise CannotList(f"{directory}: cannot be listed: {error.strerror}") from None
    if directory == root:
        raise CannotList(f"{root}: there is no such directory") from None
