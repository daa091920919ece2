"""pgBackRest's repository (format 5): one stanza of it.

Which WAL belongs to a cluster is told by `archive.info`: of each archive id whose version and
system identifier are the cluster's. After a stanza-upgrade names of several clusters are alike; the
newest is meant unless a backup of another is named. A file whose own checksum is wrong is not
believed: then its `.copy` is, as pgBackRest does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, TypeVar

from agent.archive import ciphers
from agent.archive.ciphers import MAGIC, BadCipher, Cipher
from agent.archive.directory import Listing
from agent.archive.fetch import StoredAt
from agent.backups.describe import BackupDepth, NotABackup
from agent.backups.layers import BackupLayer
from agent.denied import is_proof, reason, unlisted
from agent.repositories.backup import sort_backups
from agent.repositories.files import MANIFEST_BYTES, SMALL_BYTES, list_folder, read
from agent.repositories.pgbackrest_files import Stanza, StoredFiles, read_content
from agent.repositories.recognise import PGBACKREST
from agent.repositories.repository import Backups, NotRead
from agent.repositories.spool import PushSpool, read_spool
from agent.repositories.wal_names import with_size_by_names
from parsers.errors import ParseError
from parsers.repository.pgbackrest import (
    ARCHIVE_ID,
    COPY_SUFFIX,
    LABEL,
    ArchiveInfo,
    BackupEntry,
    BackupInfo,
    Database,
    RepositoryManifest,
    parse_archive_info,
    parse_backup_info,
    parse_manifest,
    parse_stored_name,
)
from parsers.segment import NameKind, WalName, parse_wal_name
from parsers.sentences import message_of, tr
from rules.model.facts import ArchivedFile, ArchiveFacts, BackupFacts
from rules.model.repository import ListedBackup, RepositoryFacts

_CIPHER: Final = "aes-256-cbc"
_SMALL_FILE_BYTES: Final = 1 << 20
T = TypeVar("T")


class PgBackRest:
    """One stanza of one repository."""

    tool: Final = PGBACKREST

    def __init__(
        self,
        root: str,
        stanza: str,
        passphrase: bytes | None,
        number: int,
        label: str | None,
        spool: str | None = None,
    ) -> None:
        self.url, self.name, self.number = root, stanza, number
        self._passphrase = passphrase
        self._variable = f"PGBACKREST_REPO{number}_CIPHER_PASS"
        self._archive = f"{root}/archive/{stanza}"
        self._backup = f"{root}/backup/{stanza}"
        self.used_copies: list[str] = []  # info files of which only the .copy was good
        self.unread: dict[str, str] = {}  # info files that could not be read, and why
        # Before its archive is listed: what was pushed meanwhile is there.
        self._spool = read_spool(spool, stanza) if spool else PushSpool({}, None)
        self.archive_info = self._info(f"{self._archive}/archive.info", parse_archive_info)
        self.backup_info = self._info(f"{self._backup}/backup.info", parse_backup_info)
        self.database = self._choose(label)

    def labels(self) -> tuple[str, ...]:
        return tuple(entry.label for entry in self.entries())

    def entries(self) -> list[BackupEntry]:
        """The backups of the cluster that is meant, oldest first."""
        info = self.backup_info
        if info is None or self.database is None:
            return []
        ours = {each.id for each in _like(info, self.database)}
        return [entry for entry in info.backups if entry.database_id in ours]

    def read_backups(self, depth: BackupDepth, only: str | None) -> Backups:
        found: list[BackupFacts] = []
        unreadable = dict(self.unread)
        for entry in self.entries():
            if only is not None and entry.label != only:
                continue
            url = f"{self._backup}/{entry.label}"
            try:
                found.append(self._read_backup(entry, depth))
            except NotABackup as error:
                if entry.label not in dict(self._gone()):  # else it is known what it is: lost
                    unreadable[url] = message_of(error)
        changing = {} if only else dict(self._unfinished())
        return Backups(read=sort_backups(found), unreadable=unreadable, changing=changing)

    def find_wal(self, name: str) -> list[StoredAt]:
        self._remember_cipher()
        found: list[StoredAt] = []
        for archive_id in self._archive_ids():
            root = f"{self._archive}/{archive_id}"
            if name.endswith(".history"):
                found.append(StoredAt(root, name))
                continue
            folder = f"{root}/{name[:16]}"
            try:
                files = list_folder(folder).files
            except OSError as error:
                if is_proof(error):
                    continue
                raise NotRead(unlisted(error, folder)) from None
            same = (each for each in files if each == name or _plain(each) == name)
            found += [StoredAt(folder, each) for each in same]
        return found

    def _remember_cipher(self) -> None:
        if self.archive_info is not None and self.archive_info.passphrase is not None:
            passphrase = self.archive_info.passphrase.encode()
            ciphers.remember(self._archive, Cipher(_CIPHER, passphrase))

    def list_archive(self) -> ArchiveFacts:
        listed_at = datetime.now(UTC)
        listing = Listing(root=self._archive, layout="pgbackrest")
        self._remember_cipher()
        for archive_id in self._archive_ids():
            try:
                self._list_id(f"{self._archive}/{archive_id}", listing)
            except FileNotFoundError:
                continue
            except OSError as error:
                where = f"{self._archive}/{archive_id}"
                raise NotRead(unlisted(error, where)) from None
        return with_size_by_names(listing.facts(self._archive, listed_at))

    def files(self, label: str) -> StoredFiles | None:
        try:
            return StoredFiles(self.url, self.name, self._manifest(label))
        except NotABackup:
            return None

    @property
    def archive_url(self) -> str:
        return self._archive

    def layers(self, label: str) -> list[BackupLayer]:
        return [StoredFiles(self.url, self.name, self._manifest(label)).layer()]

    def facts(self) -> RepositoryFacts:
        listed = tuple(
            ListedBackup(entry.label, datetime.fromtimestamp(entry.stopped_at, UTC), entry.stop_lsn)
            for entry in self.entries()
        )
        return RepositoryFacts(
            tool=self.tool,
            url=self.url,
            name=self.name,
            number=self.number,
            backups=listed,
            gone=dict(self._gone()),
            unlisted={url.rpartition("/")[2]: at for url, at in self._unfinished()},
            copies_used=tuple(dict.fromkeys(self.used_copies)),
            acknowledged=self._spool.acknowledged,
            spool_unread=self._spool.unread,
            page_errors=tuple(entry.label for entry in self.entries() if entry.page_errors),
        )

    # -- the stanza --------------------------------------------------------------------------------

    def _info(self, path: str, parse: Callable[[bytes], T]) -> T | None:
        """The file or its copy, whichever is good; None, with the reason kept, where neither is."""
        why: list[str] = []
        for name in (path, f"{path}{COPY_SUFFIX}"):
            try:
                parsed = parse(self._decrypted(read(name, SMALL_BYTES), self._passphrase))
            except OSError as error:
                why.append(
                    tr("absent")
                    if is_proof(error)
                    else tr("cannot be read: {reason}", reason=reason(error, name))
                )
            except (ParseError, BadCipher) as error:
                why.append(message_of(error))
            else:
                if name != path:
                    self.used_copies.append(tr("{path}: {why}", path=path, why=why[0]))
                return parsed
        self.unread[path] = (
            tr("{path}: {why}; its copy: {of_copy}", path=path, why=why[0], of_copy=why[1])
            if len(why) > 1
            else tr("{path}: {why}", path=path, why=why[0])
        )
        return None

    def _decrypted(self, data: bytes, passphrase: bytes | None) -> bytes:
        if not data.startswith(MAGIC):
            return data
        if passphrase is None:
            raise BadCipher(
                tr("encrypted, and there is no passphrase: set {variable}", variable=self._variable)
            )
        try:
            return ciphers.decrypt(data, Cipher(_CIPHER, passphrase))
        except BadCipher:
            raise BadCipher(
                tr("it does not decrypt: is {variable} right?", variable=self._variable)
            ) from None

    def _choose(self, label: str | None) -> Database | None:
        """The cluster that is meant: of the backup named, else the stanza's current one."""
        info: ArchiveInfo | BackupInfo | None = self.backup_info
        if self.backup_info is not None and label is not None:
            named = next((each for each in self.backup_info.backups if each.label == label), None)
            if named is not None and named.database_id in self.backup_info.databases:
                return self.backup_info.databases[named.database_id]
        info = info or self.archive_info
        return info.databases[info.current_id] if info else None

    def _archive_ids(self) -> list[str]:
        if self.archive_info is not None and self.database is not None:
            return [each.archive_id for each in self.archive_info.clusters_like(self.database)]
        if self.database is not None:
            return [self.database.archive_id]
        return self._newest_id()  # by the names alone

    def _newest_id(self) -> list[str]:
        try:
            folders = list_folder(self._archive).folders
        except OSError as error:
            raise NotRead(unlisted(error, self._archive)) from None
        ids = [name for name in folders if ARCHIVE_ID.match(name)]
        return [max(ids, key=lambda name: int(name.rpartition("-")[2]))] if ids else []

    # -- WAL ---------------------------------------------------------------------------------------

    def _list_id(self, root: str, listing: Listing) -> None:
        top = list_folder(root)
        for file in top.files.values():
            self._add(file, listing)
        for name in top.folders:
            try:
                files = list_folder(f"{root}/{name}").files
            except FileNotFoundError:  # expired meanwhile
                continue
            for file in files.values():
                self._add(file, listing)

    def _add(self, file: ArchivedFile, listing: Listing) -> None:
        stored = parse_stored_name(file.name)
        if stored is not None:
            listing.known_count += 1
            kind = NameKind.PARTIAL if stored.partial else NameKind.SEGMENT
            timeline = int(stored.segment[:8], 16)
            suffix = stored.suffix or None
            plain = f"{stored.segment}.partial" if stored.partial else stored.segment
            listing.add_segment(file, WalName(kind, plain, timeline, stored.segment, suffix))
            return
        name = parse_wal_name(file.name)
        if name is None or name.kind not in (NameKind.TIMELINE_HISTORY, NameKind.BACKUP_HISTORY):
            listing.other_count += 1
            return
        listing.add(file.directory, file.name, file)

    # -- backups -----------------------------------------------------------------------------------

    def _read_backup(self, entry: BackupEntry, depth: BackupDepth) -> BackupFacts:
        identifier = self.database.system_identifier if self.database else None
        stanza = Stanza(self.url, self.name, self.number, identifier)
        return read_content(stanza, entry, self._manifest(entry.label), depth)

    def _manifest(self, label: str) -> RepositoryManifest:
        """Raises NotABackup."""
        path, why = f"{self._backup}/{label}/backup.manifest", ""
        passphrase = self.backup_info.passphrase if self.backup_info else None
        for name in (path, f"{path}{COPY_SUFFIX}"):
            try:
                data = read(name, MANIFEST_BYTES)
                known = passphrase.encode() if passphrase is not None else None
                manifest = parse_manifest(self._decrypted(data, known))
                if name != path:
                    self.used_copies.append(tr("{path}: {why}", path=path, why=why))
                return manifest
            except OSError as error:
                why = why or (tr("absent") if is_proof(error) else reason(error, name))
            except (ParseError, BadCipher) as error:
                why = why or message_of(error)
        raise NotABackup(
            tr("{path}: {why}: the backup cannot be restored without it", path=path, why=why)
        )

    def _gone(self) -> Iterator[tuple[str, str]]:
        """Backups that are listed, and still are when it is looked again, and are not there."""
        try:
            folders = list_folder(self._backup).folders
        except OSError:
            return
        lost = [entry.label for entry in self.entries() if entry.label not in folders]
        listed = self._info(f"{self._backup}/backup.info", parse_backup_info) if lost else None
        still = {entry.label for entry in listed.backups} if listed else set()
        yield from ((label, f"{self._backup}/{label}") for label in lost if label in still)

    def _unfinished(self) -> Iterator[tuple[str, datetime]]:
        """Folders of backups that backup.info does not list: running, broken off or expiring."""
        if self.backup_info is None:
            return
        listed = {entry.label for entry in self.backup_info.backups}
        try:
            folders = list_folder(self._backup).folders
        except OSError:
            return
        for name in folders:
            if LABEL.match(name) and name not in listed:
                path = f"{self._backup}/{name}"
                times = (file.mtime_ns for file in _files(path))
                yield path, datetime.fromtimestamp(max(times, default=0) / 1e9, UTC)


def _plain(name: str) -> str | None:
    """The segment that is stored under this name, as PostgreSQL calls it."""
    stored = parse_stored_name(name)
    return f"{stored.segment}{'.partial' if stored.partial else ''}" if stored else None


def _files(path: str) -> Iterable[ArchivedFile]:
    try:
        return list_folder(path).files.values()
    except OSError:
        return ()


def _like(info: BackupInfo, database: Database) -> list[Database]:
    wanted = (database.version, database.system_identifier)
    return [
        each for each in info.databases.values() if (each.version, each.system_identifier) == wanted
    ]
