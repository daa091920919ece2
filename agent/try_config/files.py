"""The archives, backups, repositories and log of a cluster: listed, and one file of each read."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from agent.archive.directory import NotAnArchive, list_archive
from agent.archive.stored import read_stored
from agent.archive.unreadable import why_unreadable
from agent.backups.describe import NotABackup
from agent.backups.find import read_backups
from agent.config.model import ResolvedCluster
from agent.denied import reason
from agent.errors import CannotCheck, UsageError
from agent.inputs.misplaced import (
    in_place_of_archive,
    in_place_of_backup,
    in_place_of_backups,
    is_laid_out_by_another,
)
from agent.monitor.recovery_log import RecoveryLog, UnreadableLog
from agent.monitor.repositories import WatchedRepositories
from agent.repositories.repository import NotRead
from agent.store.patience import StoreError
from agent.store.urls import is_remote
from agent.try_config.login import account
from agent.try_config.tried import Tried
from rules.model.counted import counted

T = TypeVar("T")
_SEGMENT_LIMIT_BYTES: Final = 1 << 30
_READABLE: Final = 'docs/running.md has under "What the account may read" what else does'
# An option of pitr-check and what it is given -> the key that is for the same.
_OPTION: Final = re.compile(r"--(archive|backup|repository) ([^\s;,]+)")
_KEYS: Final = {"archive": "archives", "backup": "backups", "repository": "repositories"}
_FAILURES: Final = (NotAnArchive, NotABackup, NotRead, CannotCheck, UsageError, StoreError, OSError,
                    UnreadableLog)  # fmt: skip


def try_files(cluster: ResolvedCluster) -> Iterator[Tried]:
    """In the order of the configuration."""
    for archive in cluster.archives:
        yield _try(
            f"archive {archive.url}", archive.url, partial(_archive, archive.url),
            instead=partial(in_place_of_archive, archive.url),
        )  # fmt: skip
    if cluster.backups is not None:
        url = cluster.backups.url
        yield _try(
            f"backups {url}", url, lambda: _backups(url),
            instead=lambda: in_place_of_backups(url) or in_place_of_backup(url, "backups"),
        )  # fmt: skip
    if cluster.repositories:
        yield _try("repositories", "", lambda: _repositories(cluster))
    if cluster.log is not None:
        yield _try(f"log {cluster.log}", str(cluster.log), lambda: _log(cluster))


def try_ledger(ledger: Path) -> Tried:
    """The one file that the agent writes."""
    place = ledger if ledger.exists() else ledger.parent
    if os.access(place, os.W_OK):
        return Tried(source=f"ledger {ledger}", said="can be written", works=True)
    said = "its directory is not there" if not ledger.parent.is_dir() else "it cannot be written"
    make = f"install -d -o {account()} -m 0700 {ledger.parent}"
    return Tried(source=f"ledger {ledger}", said=said, works=False, to_type=(make,))


def _try(
    source: str,
    place: str,
    look: Callable[[], str],
    instead: Callable[[], str | None] = lambda: None,
) -> Tried:
    """`instead` says what lies there where it is of another kind."""
    try:
        return Tried(source=source, said=look(), works=True)
    except _FAILURES as failure:
        with contextlib.suppress(*_FAILURES):
            if found := instead():
                return Tried(source=source, said=_of_the_file(found, place), works=False)
        said = why_unreadable(failure) if isinstance(failure, OSError) else str(failure)
        said = said.removeprefix(f"{place}: ")  # the source says it
        return Tried(source=source, said=said, works=False, to_type=_advice(failure, said, place))


def _of_the_file(said: str, place: str) -> str:
    """An option of pitr-check, as the key of the configuration that is for the same."""
    said = said.removeprefix(f"{place} ")  # the source says it
    return _OPTION.sub(lambda option: f"{_KEYS[option[1]]}: {{url: {option[2]}}}", said)


def _advice(failure: BaseException, said: str, place: str) -> tuple[str, ...]:
    denied = isinstance(failure, PermissionError) or "ermission denied" in said
    if denied and place and not is_remote(place):
        return (f"systemctl edit pitr-agent, with  [Service] User={_owner(place)}", _READABLE)
    if denied:
        return (_READABLE,)
    if place and not is_remote(place):
        return (f"ls -ld {place}",)
    return ()


def _owner(place: str) -> str:
    try:
        return Path(place).owner()
    except (OSError, KeyError):
        return "postgres"


def _archive(url: str) -> str:
    """Its newest segment is read whole: a listing needs other rights than what it lists."""
    facts = list_archive(url)
    if not facts.segments:
        raise CannotCheck("it holds no WAL: is this the directory that archive_command writes to?")
    newest = max(facts.segments)
    file = facts.segments[newest]
    if is_laid_out_by_another(url, file):
        raise CannotCheck("it is laid out as another tool does it")
    _read(lambda: read_stored(file.directory, file.name, _SEGMENT_LIMIT_BYTES), f"{url}/{newest}")
    return f"{counted(len(facts.segments), 'segment')}, the newest of them {newest}, which was read"


def _backups(url: str) -> str:
    found = read_backups(url, "label")
    if found.unreadable:
        raise CannotCheck(next(iter(found.unreadable.values())))
    unread = [f"{each.url}: {each.unread_files[0]}" for each in found.backups if each.unread_files]
    if unread:
        raise CannotCheck(unread[0])
    newest = max(found.backups, key=lambda each: each.label.start_lsn, default=None)
    said = f", the newest of them {newest.url}" if newest else ""
    return f"{counted(len(found.backups), 'backup')}{said}"


def _repositories(cluster: ResolvedCluster) -> str:
    watched = WatchedRepositories(cluster)
    found, _ = watched.read_backups(None)
    archives = watched.list_archives()
    segments = sum(len(each.segments) for each in archives)
    backups = len(found.backups) if found else 0
    return f"{counted(backups, 'backup')}, {counted(segments, 'segment')}"


def _log(cluster: ResolvedCluster) -> str:
    assert cluster.log is not None
    status = _read(cluster.log.stat, str(cluster.log))
    RecoveryLog(cluster).read()
    kind = "a directory" if stat.S_ISDIR(status.st_mode) else "a file"
    written = datetime.fromtimestamp(status.st_mtime, UTC)
    return f"{kind}, last written at {written:%Y-%m-%d %H:%M:%S} UTC, which was read"


def _read(read: Callable[[], T], place: str) -> T:
    try:
        return read()
    except OSError as error:
        raise CannotCheck(f"{place}: cannot be read: {reason(error, place)}") from None
