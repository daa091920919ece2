"""A backup of a repository from its small files, whichever way the tool stores them."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime

from agent.backups.describe import (
    CONTROL,
    LABEL,
    SIGNALS,
    VERSION,
    BackupDepth,
    NotABackup,
    Pieces,
    describe,
)
from agent.backups.noted import noted
from agent.backups.settings import CONFIGURATION, is_configuration, read_configuration
from agent.backups.tablespaces import TABLESPACE_MAP
from parsers.sentences import tr
from parsers.values import dataclass
from rules.model.facts import ArchivedFile, BackupFacts, StoredBackup


class UnreadFile(Exception):
    """A file of a backup that is there and cannot be read or decoded. One line."""


ReadFile = Callable[[str], bytes | None]  # by its path in the data directory; raises UnreadFile


@dataclass(slots=True, kw_only=True)
class BackupContent:
    """The files of one backup, and what its tool says of it."""

    url: str
    stored: StoredBackup
    paths: Collection[str]  # of all its files, in the data directory
    read: ReadFile
    depth: BackupDepth
    label: bytes | None = None  # where the tool keeps it apart from the files
    stop_lsn: int | None = None
    finished_at: datetime | None = None
    started_at: datetime | None = None
    wal: Mapping[str, ArchivedFile] = field(default_factory=dict)  # in its pg_wal
    bad: Sequence[str] = ()
    unread: Sequence[str] = ()
    major: int | None = None
    system_identifier: int | None = None
    segment_size_bytes: int | None = None


def describe_backup(content: BackupContent) -> BackupFacts:
    """Put together what a backup says. Raises NotABackup."""
    pieces = _read_pieces(content)
    facts = describe(content.url, pieces, list(content.bad), content.depth)
    depth = content.depth if content.depth != "pages" else "checksums"
    return replace(
        facts,
        stored=content.stored,
        stop_lsn=content.stop_lsn,
        stop_timeline=facts.label.timeline if content.stop_lsn is not None else None,
        started_at=facts.started_at or content.started_at,
        finished_at=content.finished_at,
        system_identifier=facts.system_identifier or content.system_identifier,
        major=facts.major or content.major,
        segment_size_bytes=facts.segment_size_bytes or content.segment_size_bytes,
        manifest_error=None,  # its own manifest was used
        files_checked=len(content.paths) if depth != "label" else None,
        depth=depth,
    )


def _read_pieces(content: BackupContent) -> Pieces:
    reading = _Reading(content)
    label = content.label if content.label is not None else reading.file(LABEL)
    if label is None:
        why = content.bad[0] if content.bad else tr("no backup_label in it")
        if reading.unread:
            why = reading.unread[0]
        raise NotABackup(
            tr(
                "{path}: {why}: it is no base backup that can be restored",
                path=content.url,
                why=why,
            )
        )
    pieces = Pieces(
        label=label,
        control=reading.file(CONTROL),
        version=reading.file(VERSION),
        tablespace_map=reading.file(TABLESPACE_MAP),
        signal_files=[name for name in SIGNALS if name in content.paths],
        paths=content.paths,
        wal_files=content.wal,
    )
    if any(each.startswith(f"{CONTROL} ") for each in (*reading.unread, *content.bad)):
        pieces.control_error = None
    complete = CONFIGURATION[0] not in content.paths and not content.unread
    pieces.take_settings(read_configuration(_Configuration(reading)), complete=complete)
    pieces.unread = [*content.unread, *reading.unread]
    return pieces


class _Reading:
    """Reads small files, and notes those that cannot be."""

    def __init__(self, content: BackupContent) -> None:
        self.content = content
        self.unread: list[str] = []

    def file(self, name: str) -> bytes | None:
        if name not in self.content.paths:
            return None
        try:
            return self.content.read(name)
        except UnreadFile as error:
            self.unread.append(noted(name, error))
            return None


class _Configuration:
    """The configuration of a backup, by the paths of its files."""

    def __init__(self, reading: _Reading) -> None:
        self.directory = reading.content.url
        self._reading = reading

    def read(self, name: str) -> bytes | None:
        return self._reading.file(name)

    def list_configuration(self, folder: str) -> list[str] | None:
        names = [
            path
            for path in self._reading.content.paths
            if posixpath.dirname(path) == folder and is_configuration(posixpath.basename(path))
        ]
        return names or None


def sort_backups(backups: Iterable[BackupFacts]) -> tuple[BackupFacts, ...]:
    return tuple(sorted(backups, key=lambda each: (each.label.start_lsn, each.url)))
