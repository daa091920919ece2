"""Barman's server folder, and barman-cloud's in a store: the same backup.info, another layout.

`backup.info` lies beside the backup, or in `meta/` (3.13.2 and later); a server that was upgraded
has both kinds. WAL is compressed without a suffix by Barman, with one by barman-cloud. What
`xlog.db` lists is what Barman restores; what lies there is what is judged. WAL that waits in
`incoming/` counts as archived: a restore begins by archiving it, and get-wal finds it there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from agent.archive import ciphers
from agent.archive.ciphers import Cipher
from agent.archive.codecs import READABLE_SUFFIXES
from agent.archive.directory import Listing
from agent.archive.fetch import StoredAt
from agent.backups.describe import BackupDepth, NotABackup
from agent.backups.find import read_any_backup
from agent.backups.layers import BackupLayer, BackupPlace
from agent.backups.noted import noted
from agent.denied import is_proof, reason, unlisted
from agent.repositories.backup import sort_backups
from agent.repositories.files import Folder, list_folder, read
from agent.repositories.recognise import BARMAN, BARMAN_CLOUD
from agent.repositories.repository import Backups, NotRead
from agent.repositories.wal_names import add_files, with_size_by_names
from agent.store.paths import AnyPath, any_path
from parsers.errors import ParseError
from parsers.repository.barman import (
    BACKUP_ID,
    RESTORABLE,
    UNFINISHED,
    BarmanBackup,
    XlogEntry,
    parse_backup_info,
    parse_xlogdb,
)
from parsers.repository.barman_config import BarmanPlaces
from parsers.segment import parse_wal_name
from parsers.sentences import message_of, tr
from rules.model.facts import ArchivedFile, ArchiveFacts, BackupFacts, StoredBackup
from rules.model.repository import ListedBackup, RepositoryFacts

_TABLESPACE: Final = re.compile(r"[1-9][0-9]{0,9}\Z")
_INFO_SUFFIX: Final = "-backup.info"
_NOTHING: Final = Folder((), {})


class Barman:
    """One server of one repository."""

    def __init__(
        self,
        root: str,
        server: str,
        number: int,
        *,
        in_cloud: bool = False,
        places: BarmanPlaces | None = None,
    ) -> None:
        self.url, self.name, self.number = root, server, number
        self.tool: str = BARMAN_CLOUD if in_cloud else BARMAN
        self._in_cloud = in_cloud
        self._places = places or BarmanPlaces.below(f"{root}/{server}")
        self.unread: dict[str, str] = {}
        self.infos = dict(self._read_infos())
        self._waiting = dict(self._folder(self._places.incoming).files) if not in_cloud else {}
        self._unread_list: dict[str, str] = {}  # xlog.db, and why it is of no use
        self.xlog = self._read_xlogdb()

    def labels(self) -> tuple[str, ...]:
        return tuple(info.id for info in self.infos.values() if info.status not in UNFINISHED)

    def read_backups(self, depth: BackupDepth, only: str | None) -> Backups:
        found: dict[str, BackupFacts] = {}
        unreadable = dict(self.unread)
        changing: dict[str, datetime] = {}
        for info in self.infos.values():
            url = f"{self._places.base}/{info.id}"
            if info.status in UNFINISHED:
                changing[url] = info.started_at or datetime.fromtimestamp(0, UTC)
                continue
            try:
                found[info.id] = self._read_backup(info, url, depth)
            except NotABackup as error:
                unreadable[url] = message_of(error)
        whole = [self._combined(self.infos[label], found) for label in found]
        if only is not None:
            whole = [each for each in whole if each.name == only]
            unreadable = {url: why for url, why in unreadable.items() if url.endswith(f"/{only}")}
        unreadable |= self._unread_list
        return Backups(read=sort_backups(whole), unreadable=unreadable, changing=changing)

    def find_wal(self, name: str) -> list[StoredAt]:
        wals = self._places.wals
        folder = wals if name.endswith(".history") else f"{wals}/{name[:16]}"
        suffixes = ("", *READABLE_SUFFIXES) if self._in_cloud else ("",)
        found = [StoredAt(folder, f"{name}{suffix}") for suffix in suffixes]
        return found if self._in_cloud else [*found, StoredAt(self._places.incoming, name)]

    def list_archive(self) -> ArchiveFacts:
        listed_at = datetime.now(UTC)
        wals = self._places.wals
        listing = Listing(root=wals, layout="barman-cloud" if self._in_cloud else "barman")
        for entry in (self.xlog or {}).values():
            if entry.encryption is not None:
                path = f"{wals}/{entry.name[:16]}/{entry.name}"
                ciphers.remember(path, Cipher(entry.encryption, None))
        try:
            top = list_folder(wals)
            add_files(top.files.values(), listing)
            for name in top.folders:
                add_files(self._folder(f"{wals}/{name}").files.values(), listing)
            stored = {*listing.segments, *listing.partials, *top.files}
            waiting = (file for name, file in self._waiting.items() if name not in stored)
            add_files(waiting, listing)
        except OSError as error:
            raise NotRead(unlisted(error, wals)) from None
        facts = with_size_by_names(listing.facts(wals, listed_at))
        return replace(facts, partials=self._streamed() | dict(facts.partials))

    def files(self, label: str) -> AnyPath | None:
        try:
            return any_path(self._data(f"{self._places.base}/{label}"))
        except NotABackup:
            return None

    @property
    def archive_url(self) -> str:
        return self._places.wals

    def layers(self, label: str) -> list[BackupLayer]:
        return [self._layer(each) for each in (*self._parents(self.infos[label]), label)]

    def facts(self) -> RepositoryFacts:
        listed = tuple(
            ListedBackup(info.id, info.finished_at, info.stop_lsn, refused=_refused(info))
            for info in self.infos.values()
            if info.status not in UNFINISHED
        )
        return RepositoryFacts(
            tool=self.tool,
            url=self.url,
            name=self.name,
            number=self.number,
            backups=listed,
            listed_wal=None if self.xlog is None else self._listed_wal(self.xlog),
            gone=dict(self._gone()),
            unlisted=dict(self._unlisted()),
        )

    def _listed_wal(self, xlog: Mapping[str, XlogEntry]) -> dict[str, float | None]:
        """What its restore finds in xlog.db, after it has archived what waits."""
        listed = {name: entry.stored_at for name, entry in xlog.items()}
        by_time = any(listed.values())
        for name, file in sorted(self._waiting.items()):
            if parse_wal_name(name) is not None:
                listed.setdefault(name, file.mtime_ns / 1e9 if by_time else None)
        return listed

    def _gone(self) -> Iterator[tuple[str, str]]:
        """Backups of which the info is there, in meta/, and nothing else."""
        there = self._folder(self._places.base).folders
        for name in self._folder(self._places.meta).files if not self._in_cloud else ():
            backup_id = name.removesuffix(_INFO_SUFFIX)
            if name.endswith(_INFO_SUFFIX) and backup_id not in there:
                yield backup_id, f"{self._places.base}/{backup_id}"

    def _unlisted(self) -> Iterator[tuple[str, datetime]]:
        """Folders of backups without any info."""
        for name in self._folder(self._places.base).folders:
            url = f"{self._places.base}/{name}"
            unread = any(path.startswith(f"{url}/") or f"/{name}-" in path for path in self.unread)
            if BACKUP_ID.match(name) and name not in self.infos and not unread:
                begun = datetime.strptime(name, "%Y%m%dT%H%M%S")
                yield name, begun.replace(tzinfo=UTC)

    # -- what it says ------------------------------------------------------------------------------

    def _read_infos(self) -> Iterator[tuple[str, BarmanBackup]]:
        """Each backup's info by its id: from where it is written today, else the old place."""
        base = self._folder(self._places.base)
        meta = _NOTHING if self._in_cloud else self._folder(self._places.meta)
        for backup_id in base.folders:
            if not BACKUP_ID.match(backup_id):
                continue
            path = f"{self._places.base}/{backup_id}/backup.info"
            if f"{backup_id}-backup.info" in meta.files:
                path = f"{self._places.meta}/{backup_id}-backup.info"
            try:
                yield backup_id, parse_backup_info(read(path), backup_id)
            except ParseError as error:
                self.unread[path] = tr("{path}: {error}", path=path, error=error)
            except OSError as error:
                if not is_proof(error):
                    self.unread[path] = tr(
                        "{path}: {reason}", path=path, reason=reason(error, path)
                    )

    def _read_xlogdb(self) -> Mapping[str, XlogEntry] | None:
        """What it believes its archive to hold; None where that is nowhere or is broken."""
        for path in self._places.xlogdb:
            try:
                return {entry.name: entry for entry in parse_xlogdb(read(path))}
            except ParseError as error:
                remedy = tr(
                    "Barman takes no WAL by it; type  barman rebuild-xlogdb {name}", name=self.name
                )
                self._unread_list[path] = tr(
                    "{path}: {error}: {remedy}", path=path, error=error, remedy=remedy
                )
                return None
            except OSError as error:
                if not is_proof(error):
                    self._unread_list[path] = tr(
                        "{path}: {reason}", path=path, reason=reason(error, path)
                    )
                    return None
        return self._without_list()

    def _without_list(self) -> Mapping[str, XlogEntry] | None:
        """Where it would lie is none: its restore takes no WAL, unless it was moved."""
        if self._in_cloud or not self._folder(self._places.wals).folders:
            return None
        path = self._places.xlogdb[0]
        remedy = tr(
            "type  barman rebuild-xlogdb {name},  or name its configuration (--barman)",
            name=self.name,
        )
        self._unread_list[path] = tr(
            "{path}: it is not there, so that Barman knows no WAL: {remedy}",
            path=path,
            remedy=remedy,
        )
        return None

    # -- backups -----------------------------------------------------------------------------------

    def _read_backup(self, info: BarmanBackup, url: str, depth: BackupDepth) -> BackupFacts:
        place = self._data(url)
        if info.encryption is not None:
            raise NotABackup(
                tr("{url}: encrypted ({cipher}): cannot be read", url=url, cipher=info.encryption)
            )
        facts = read_any_backup(any_path(place), depth)
        bad = list(facts.bad_files)
        if (refused := _refused(info)) is not None:
            bad.append(refused)
        return replace(
            facts,
            url=url,
            stored=StoredBackup(
                repository=self.number,
                label=info.id,
                kind="incr" if info.parent else "full",
                parents=tuple(self._parents(info)),
            ),
            stop_lsn=facts.stop_lsn or info.stop_lsn,
            stop_timeline=facts.stop_timeline or info.timeline,
            started_at=facts.started_at or info.started_at,
            finished_at=info.finished_at,
            system_identifier=facts.system_identifier or info.system_identifier,
            major=facts.major or info.major,
            segment_size_bytes=facts.segment_size_bytes or info.segment_size_bytes,
            manifest_error=facts.manifest_error or None,  # by rsync there is none
            bad_files=tuple(bad),
        )

    def _data(self, url: str) -> str:
        """Where its files are: a directory, or of barman-cloud a tar. Raises NotABackup."""
        if not self._in_cloud:
            return f"{url}/data"
        tars = [name for name in self._folder(url).files if name.startswith("data.tar")]
        if len(tars) != 1:
            raise NotABackup(tr("{url}: no data.tar in it, or several: it cannot be read", url=url))
        return f"{url}/{tars[0]}"

    def _layer(self, label: str) -> BackupLayer:
        """One backup of a chain: its data, and the tablespaces that lie beside it."""
        url = f"{self._places.base}/{label}"
        data = self._data(url)
        places = [BackupPlace(any_path(data))]
        if not self._in_cloud:
            linked = self._folder(f"{data}/pg_tblspc")
            beside = [name for name in self._folder(url).folders if _TABLESPACE.match(name)]
            places += [
                BackupPlace(any_path(f"{url}/{name}"), f"pg_tblspc/{name}/")
                for name in beside
                if name not in (*linked.folders, *linked.files)
            ]
        return BackupLayer(name=url, places=tuple(places))

    def _parents(self, info: BarmanBackup) -> list[str]:
        """Labels of what it is built on, the full backup first; what is gone ends them."""
        chain: list[str] = []
        parent = info.parent
        while parent is not None and parent not in chain:
            chain.insert(0, parent)
            parent = self.infos[parent].parent if parent in self.infos else None
        return chain

    def _combined(self, info: BarmanBackup, found: Mapping[str, BackupFacts]) -> BackupFacts:
        """What a restore makes of it: an incremental one is combined with those it is built on."""
        facts = found[info.id]
        lacking = [
            noted(
                label,
                tr("absent, and this backup is built on it")
                if label not in self.infos
                else tr("cannot be used, and this backup is built on it"),
            )
            for label in self._parents(info)
            if label not in found or found[label].bad_files
        ]
        if lacking or facts.label.incremental_from_lsn is None:
            return replace(facts, bad_files=(*facts.bad_files, *lacking))
        whole = replace(facts.label, incremental_from_lsn=None, incremental_from_timeline=None)
        return replace(facts, label=whole)

    # -- how ---------------------------------------------------------------------------------------

    def _streamed(self) -> dict[str, ArchivedFile]:
        """What receive-wal is writing: recovery does not read it unless it is asked to."""
        if self._in_cloud:
            return {}
        listing = Listing(root=self._places.streaming)
        add_files(self._folder(self._places.streaming).files.values(), listing)
        return listing.partials

    def _folder(self, path: str) -> Folder:
        """Empty where there is none. Raises NotRead where that cannot be told."""
        try:
            return list_folder(path)
        except OSError as error:
            if is_proof(error):
                return _NOTHING
            raise NotRead(unlisted(error, path)) from None


def _refused(info: BarmanBackup) -> str | None:
    """Why Barman would not restore it; None: it would."""
    if info.status in RESTORABLE:
        return None
    return f"Cannot restore from backup '{info.id}' of status {info.status}"
