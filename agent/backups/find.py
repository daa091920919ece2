"""Find the base backups at or below a directory.

A directory with a `backup_label` is a plain backup. Anything else is searched, level by level, so
that a tree by date is found too, and so are data directories that were packed into a tar each. What
a drill restores is no backup.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, NamedTuple

from agent.archive.scratch_names import is_scratch
from agent.backups.describe import (
    LABEL,
    MANIFEST,
    BackupDepth,
    NoBackupInTar,
    NotABackup,
    is_there,
)
from agent.backups.plain import read_backup
from agent.backups.tar import BASE_NAMES, is_tar_backup, read_tar_backup
from agent.backups.tar_contents import is_packed
from agent.denied import is_proof, reason, unlisted, unread
from agent.store.local import lstat_path, stat_path, walk_tree
from agent.store.paths import AnyPath, StorePath, any_path, entries_of, look_at
from parsers.segment import parse_wal_name
from parsers.sentences import message_of, tr
from rules.model.facts import BackupFacts, BackupsFacts

_MAX_LEVELS: Final = 6  # …/2025/07/01/base and a little more
# How long what has neither manifest nor control file may be one that is being written or deleted:
# pg_basebackup brings these two last.
_QUIET_SECONDS: Final = 300.0
# Files by which a person would recognise a backup that has lost its label.
_MARKS: Final = frozenset({"PG_VERSION", "backup_manifest", *BASE_NAMES})

ReadBackup = Callable[[AnyPath, BackupDepth], BackupFacts]  # raises NotABackup


def read_backups(
    url: str, depth: BackupDepth = "files", read: ReadBackup | None = None
) -> BackupsFacts:
    """Read every backup at or below `url`, with `read` if it is given.

    Raises NotABackup when the directory cannot be listed or holds none at all.
    """
    backups: list[BackupFacts] = []
    unreadable: dict[str, str] = {}
    changing: dict[str, datetime] = {}
    for path in find_backups(any_path(url, _is_archived_wal), unreadable):
        try:
            backup, why = (read or read_any_backup)(path, depth), ""
        except NoBackupInTar:
            continue
        except NotABackup as error:
            backup, why = None, message_of(error)
        if (at := _changing_since(path, backup)) is not None:
            changing[str(path)] = at
        elif backup is not None:
            backups.append(backup)
        else:
            unreadable[str(path)] = why
    if not (backups or unreadable or changing):
        raise NotABackup(
            tr("{url}: no base backup here (no backup_label in it or below it)", url=url)
        )
    backups.sort(key=lambda backup: (backup.label.start_lsn, backup.url))
    return BackupsFacts(
        backups=tuple(backups), unreadable=unreadable, depth=depth, changing=changing
    )


def _changing_since(path: AnyPath, backup: BackupFacts | None) -> datetime | None:
    """When the last change was, of what is not whole and was changed a moment ago."""
    if (backup is not None and backup.control is not None) or _is_there(path / MANIFEST):
        return None
    newest = max(_changes(path), default=0.0)
    at = datetime.fromtimestamp(newest, UTC)
    return at if 0 <= (datetime.now(UTC) - at).total_seconds() < _QUIET_SECONDS else None


def _is_there(path: AnyPath) -> bool:
    with suppress(OSError):
        return path.exists()
    return False


def _changes(path: AnyPath) -> Iterator[float]:
    """When each file and directory of a tree was changed, by a clock that nobody sets back."""
    if isinstance(path, StorePath):
        with suppress(OSError):
            yield from (look_at(each).st_ctime for each in path.walk())
        return
    if path.is_file():
        yield look_at(path).st_ctime
    for directory, _, names in walk_tree(path):
        for name in (".", *names):
            with suppress(OSError):
                yield lstat_path(f"{directory}/{name}").st_ctime


def read_any_backup(path: AnyPath, depth: BackupDepth) -> BackupFacts:
    """Read one backup, plain or tar. Raises NotABackup, also where it cannot be read."""
    try:
        facts = _read_either(path, depth)
        changed_at = datetime.fromtimestamp(_changed(path), UTC)
        return replace(facts, known_at=min(changed_at, datetime.now(UTC)))
    except OSError as error:
        where = error.filename or path
        raise NotABackup(unread(error, where)) from None


def _changed(path: AnyPath) -> float:
    """When a backup's directory or tar was changed; of a prefix, when anything below it was."""
    return max(_changes(path)) if isinstance(path, StorePath) else look_at(path).st_ctime


def _read_either(path: AnyPath, depth: BackupDepth) -> BackupFacts:
    if is_there(path) and not is_tar_backup(path):
        raise NotABackup(
            tr("{path}: neither a directory nor a tar (base.tar, base.tar.gz, ...)", path=path)
        )
    if not is_there(path / LABEL) and is_tar_backup(path):
        return read_tar_backup(path, depth)
    return read_backup(path, depth)


def find_backups(root: AnyPath, unreadable: dict[str, str] | None = None) -> Iterator[AnyPath]:
    """Paths of backups, level by level. What is a backup is not searched for others.

    `unreadable` takes the directories below that cannot be looked into, each with the reason: a
    backup may lie in them. Raises NotABackup for a root that cannot be listed.
    """
    closed = {} if unreadable is None else unreadable
    level, seen = [root], set[object]()
    for _ in range(_MAX_LEVELS + 1):
        below: list[AnyPath] = []
        for directory in level:
            try:
                identity = _identity(directory)
                if identity in seen:
                    continue
                seen.add(identity)
                found = _look_into(directory, closed)
            except OSError as error:
                _explain(directory, root, error, closed)
                continue
            if found.is_backup:
                yield directory
            else:
                yield from sorted(found.packed, key=str)
                below += sorted(found.subdirectories, key=str)
        level = below


def _identity(directory: AnyPath) -> object:
    """The same for each way that links make to a directory."""
    if isinstance(directory, StorePath):
        return directory.url
    status = stat_path(directory)
    return status.st_dev, status.st_ino


class _Inside(NamedTuple):
    subdirectories: list[AnyPath]
    packed: list[AnyPath]  # tars that may hold a whole data directory each
    is_backup: bool


def _look_into(directory: AnyPath, closed: dict[str, str]) -> _Inside:
    """WAL may lie here too: a million names."""
    subdirectories: list[AnyPath] = []
    packed: list[AnyPath] = []
    is_backup = False
    for entry in entries_of(directory):
        is_backup = is_backup or entry.name == LABEL or entry.name in _MARKS
        try:
            if entry.is_dir():
                if not _is_left_out(entry.name):
                    subdirectories.append(directory / entry.name)
            elif is_packed(entry.name):
                packed.append(directory / entry.name)
        except OSError as error:  # of a link
            if not is_proof(error):
                closed[entry.path] = tr(
                    "{path}: cannot be read: {reason}", path=entry.path, reason=reason(error)
                )
    return _Inside(subdirectories, packed, is_backup)


def _is_archived_wal(directory: str, name: str) -> bool:
    """Whether an object is WAL that no backup brings along."""
    return parse_wal_name(name) is not None and not directory.endswith("pg_wal")


def _is_left_out(name: str) -> bool:
    return name == "lost+found" or is_scratch(name)


def _explain(directory: AnyPath, root: AnyPath, error: OSError, closed: dict[str, str]) -> None:
    """Say why a directory cannot be listed; one below the root that vanished is no matter."""
    if directory == root:
        if isinstance(error, FileNotFoundError):
            raise NotABackup(tr("{path}: there is no such directory", path=root)) from None
        raise NotABackup(unlisted(error, directory)) from None
    if not is_proof(error):
        closed[str(directory)] = unlisted(error, directory)
