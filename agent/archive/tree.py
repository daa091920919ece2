"""Walking a directory tree that holds WAL: flat, or nested by date in any way.

Symbolic links to directories are followed once, a loop of them ends. A data directory or plain
backup below the root is left out: its pg_wal belongs to it; so is a drill's scratch area. A
directory that cannot be entered is an error, because what it holds would be judged missing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Final, NamedTuple

from agent.archive.scratch_names import is_scratch
from agent.denied import is_proof, reason
from agent.store.local import lstat_path, scan_directory, stat_path
from parsers.segment import parse_wal_name
from parsers.sentences import tr

_NOT_OURS: Final = frozenset({"lost+found"})
_BATCH: Final = 512  # names: few enough for the processor's cache


class CannotList(Exception):
    """A directory cannot be listed. One line for a person."""


class NameBatch(NamedTuple):
    """Some names of one directory."""

    directory: str
    files: list[str]  # regular ones, or links to such
    others: list[str]  # what is no file, or cannot be told; directories only with a WAL file's name


def walk_files(root: str) -> Iterator[NameBatch]:
    """Yield the names of every file. What appears or vanishes meanwhile is normal.

    A million names are never there at once.
    """
    pending, seen = [root], set[tuple[int, int]]()
    while pending:
        directory = pending.pop()
        if not _enter(directory, root, seen):
            continue
        try:
            with scan_directory(directory) as entries:
                while some := list(islice(entries, _BATCH)):
                    files, others = _sort_out(some, pending)
                    yield NameBatch(directory, files, others)
        except OSError as error:
            _explain(directory, root, error)


def _sort_out(entries: list[os.DirEntry[str]], pending: list[str]) -> tuple[list[str], list[str]]:
    """Names of files and of others; directories to look into are added to `pending`."""
    with suppress(OSError):
        files = [entry.name for entry in entries if entry.is_file()]
        if len(files) == len(entries):
            return files, []
    files, others = list[str](), list[str]()
    for entry in entries:
        if _is_directory(entry) and not parse_wal_name(entry.name):
            if not _is_left_out(entry.name):
                pending.append(entry.path)
        else:
            (files if _is_file(entry) else others).append(entry.name)
    return files, others


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
            if _is_there(path):
                yield path
        if status.st_nlink != 2:
            pending += _subdirectories(directory, root)


def _is_there(path: str) -> bool:
    """Tell whether anything has this name. Where that cannot be told, it is not taken for absent.

    A directory that may be listed and not searched shows names, and nothing of what they stand for.
    """
    try:
        lstat_path(path)
    except OSError as error:
        if is_proof(error):
            return False
        raise CannotList(
            tr("{path}: cannot be read: {reason}", path=path, reason=reason(error))
        ) from None
    return True


def _subdirectories(directory: str, root: str) -> list[str]:
    try:
        with scan_directory(directory) as entries:
            return [e.path for e in entries if _is_directory(e) and not _is_left_out(e.name)]
    except OSError as error:
        _explain(directory, root, error)
        return []


def _enter(directory: str, root: str, seen: set[tuple[int, int]]) -> os.stat_result | None:
    """The status of a directory to look into; None for one seen before or not part of it."""
    try:
        status = stat_path(directory)
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
    except OSError as error:
        if is_proof(error):
            return False  # a symbolic link that leads to itself
        raise


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def _explain(directory: str, root: str, error: OSError) -> None:
    """Raise CannotList, except for a directory below the root that vanished."""
    if not isinstance(error, FileNotFoundError):
        raise CannotList(
            tr("{path}: cannot be listed: {reason}", path=directory, reason=reason(error))
        ) from None
    if directory == root:
        raise CannotList(tr("{path}: there is no such directory", path=root)) from None
