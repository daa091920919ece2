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
from agent.language import say
from agent.monitor.recovery_log import RecoveryLog, UnreadableLog
from agent.monitor.repositories import WatchedRepositories
from agent.postgres.account import own_name
from agent.repositories.repository import NotRead
from agent.store.patience import StoreError
from agent.store.urls import is_remote
from agent.try_config.tried import Tried
from parsers.sentences import joined, message_of, tr
from rules.model.counted import counted

T = TypeVar("T")
_SEGMENT_LIMIT_BYTES: Final = 1 << 30
_READABLE: Final = tr('docs/running.md has under "What the account may read" what else does')
# An option of pitr-check and what it is given -> the key that is for the same.
_OPTION: Final = re.compile(r"--(archive|backup|repository) ([^\s;,]+)")
_KEYS: Final = {"archive": "archives", "backup": "backups", "repository": "repositories"}
_FAILURES: Final = (NotAnArchive, NotABackup, NotRead, CannotCheck, UsageError, StoreError, OSError,
                    UnreadableLog)  # fmt: skip


def try_files(cluster: ResolvedCluster) -> Iterator[Tried]:
    """In the order of the configuration."""
    for archive in cluster.archives:
        yield _try(
            tr("archive {url}", url=archive.url), archive.url, partial(_archive, archive.url),
            instead=partial(in_place_of_archive, archive.url),
        )  # fmt: skip
    if cluster.backups is not None:
        url = cluster.backups.url
        yield _try(
            tr("backups {url}", url=url), url, lambda: _backups(url),
            instead=lambda: in_place_of_backups(url) or in_place_of_backup(url, "backups"),
        )  # fmt: skip
    if cluster.repositories:
        yield _try(tr("repositories"), "", lambda: _repositories(cluster))
    if cluster.log is not None:
        yield _try(tr("log {log}", log=cluster.log), str(cluster.log), lambda: _log(cluster))


def try_ledger(ledger: Path) -> Tried:
    """The one file that the agent writes."""
    place = ledger if ledger.exists() else ledger.parent
    if os.access(place, os.W_OK):
        return Tried(
            source=tr("ledger {ledger}", ledger=ledger), said=tr("can be written"), works=True
        )
    said = (
        tr("its directory is not there")
        if not ledger.parent.is_dir()
        else tr("it cannot be written")
    )
    make = f"install -d -o {own_name()} -m 0700 {ledger.parent}"
    return Tried(
        source=tr("ledger {ledger}", ledger=ledger), said=said, works=False, to_type=(make,)
    )


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
                return Tried(source=source, said=_of_the_file(say(found), place), works=False)
        said = why_unreadable(failure) if isinstance(failure, OSError) else message_of(failure)
        to_type = _advice(failure, said, place)
        said = say(said).removeprefix(f"{place}: ")  # the source says it
        return Tried(source=source, said=said, works=False, to_type=to_type)


def _of_the_file(said: str, place: str) -> str:
    """An option of pitr-check, as the key of the configuration that is for the same."""
    said = said.removeprefix(f"{place} ")  # the source says it
    return _OPTION.sub(lambda option: f"{_KEYS[option[1]]}: {{url: {option[2]}}}", said)


def _advice(failure: BaseException, said: str, place: str) -> tuple[str, ...]:
    denied = isinstance(failure, PermissionError) or "ermission denied" in said
    if denied and place and not is_remote(place):
        return (
            tr("systemctl edit pitr-agent, with  [Service] User={owner}", owner=_owner(place)),
            _READABLE,
        )
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
        raise CannotCheck(
            tr("it holds no WAL: is this the directory that archive_command writes to?")
        )
    newest = max(facts.segments)
    file = facts.segments[newest]
    if is_laid_out_by_another(url, file):
        raise CannotCheck(tr("it is laid out as another tool does it"))
    _read(lambda: read_stored(file.directory, file.name, _SEGMENT_LIMIT_BYTES), f"{url}/{newest}")
    return tr(
        "{segments}, the newest of them {newest}, which was read",
        segments=counted(len(facts.segments), "segment"),
        newest=newest,
    )


def _backups(url: str) -> str:
    found = read_backups(url, "label")
    if found.unreadable:
        raise CannotCheck(next(iter(found.unreadable.values())))
    unread = [
        tr("{url}: {why}", url=each.url, why=each.unread_files[0])
        for each in found.backups
        if each.unread_files
    ]
    if unread:
        raise CannotCheck(unread[0])
    newest = max(found.backups, key=lambda each: each.label.start_lsn, default=None)
    said = tr(", the newest of them {url}", url=newest.url) if newest else ""
    return tr("{backups}{said}", backups=counted(len(found.backups), "backup"), said=said)


def _repositories(cluster: ResolvedCluster) -> str:
    watched = WatchedRepositories(cluster)
    found, _ = watched.read_backups(None)
    archives = watched.list_archives()
    segments = sum(len(each.segments) for each in archives)
    backups = len(found.backups) if found else 0
    return joined(", ", (counted(backups, "backup"), counted(segments, "segment")))


def _log(cluster: ResolvedCluster) -> str:
    assert cluster.log is not None
    status = _read(cluster.log.stat, str(cluster.log))
    RecoveryLog(cluster).read()
    kind = tr("a directory") if stat.S_ISDIR(status.st_mode) else tr("a file")
    at = f"{datetime.fromtimestamp(status.st_mtime, UTC):%Y-%m-%d %H:%M:%S}"
    return tr("{kind}, last written at {at} UTC, which was read", kind=kind, at=at)


def _read(read: Callable[[], T], place: str) -> T:
    try:
        return read()
    except OSError as error:
        raise CannotCheck(
            tr("{place}: cannot be read: {reason}", place=place, reason=reason(error, place))
        ) from None
