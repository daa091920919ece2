"""WAL-G's storage (version 005): flat WAL, and backups as tars that a sentinel makes complete.

Nothing in a name tells that a file is encrypted. Where most of the WAL begins as no file of its
codec does, it is taken for encrypted: unknown without a key, never damaged. A delta has the blocks
that changed since the backup it is made from, so the whole chain must be there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from agent.archive import ciphers
from agent.archive.ciphers import BadCipher, Cipher
from agent.archive.codecs import CODECS, HEAD_BYTES, READABLE_SUFFIXES
from agent.archive.directory import Listing, parse_header
from agent.archive.fetch import StoredAt
from agent.backups.describe import BackupDepth, NotABackup
from agent.backups.layers import BackupLayer
from agent.backups.noted import noted
from agent.denied import is_proof, reason, unlisted
from agent.repositories.backup import BackupContent, describe_backup, sort_backups
from agent.repositories.files import list_folder, read, read_range
from agent.repositories.recognise import WALG
from agent.repositories.repository import Backups, NotRead
from agent.repositories.wal_names import add_files, with_size_by_names
from agent.repositories.walg_tars import Tars
from agent.store.reading import open_at
from parsers.errors import ParseError
from parsers.repository.walg import (
    BACKUP_NAME,
    BACKUPS_FOLDER,
    SENTINEL_SUFFIX,
    WAL_FOLDER,
    WalgBackup,
    parse_sentinel,
)
from parsers.sentences import message_of, tr
from parsers.wal.page import LONG_HEADER_BYTES
from rules.model.facts import ArchivedFile, ArchiveFacts, BackupFacts, StoredBackup
from rules.model.repository import ListedBackup, RepositoryFacts

_PROBES: Final = 8


class Walg:
    """One storage."""

    tool: Final = WALG
    name: Final = ""

    def __init__(self, root: str, number: int, key: bytes | None) -> None:
        self.url, self.number = root, number
        self._key = key
        self._backups = f"{root}/{BACKUPS_FOLDER}"
        self._wal = f"{root}/{WAL_FOLDER}"
        self.unread: dict[str, str] = {}
        self._written_at: dict[str, datetime] = {}
        self._set_cipher()
        self.sentinels = dict(self._read_sentinels())

    def labels(self) -> tuple[str, ...]:
        return tuple(self.sentinels)

    def read_backups(self, depth: BackupDepth, only: str | None) -> Backups:
        found: list[BackupFacts] = []
        unreadable = dict(self.unread)
        gone = dict(self._gone())
        for backup in self.sentinels.values():
            if only in (None, backup.name) and backup.name not in gone:
                try:
                    found.append(self._read_backup(backup, depth))
                except NotABackup as error:
                    unreadable[f"{self._backups}/{backup.name}"] = message_of(error)
        return Backups(
            read=sort_backups(found), unreadable=unreadable, changing=dict(self._unfinished())
        )

    def find_wal(self, name: str) -> list[StoredAt]:
        return [StoredAt(self._wal, f"{name}{suffix}") for suffix in ("", *READABLE_SUFFIXES)]

    def list_archive(self) -> ArchiveFacts:
        listed_at = datetime.now(UTC)
        listing = Listing(root=self._wal, layout="wal-g")
        add_files(self._list(self._wal).values(), listing)
        return with_size_by_names(listing.facts(self._wal, listed_at))

    def files(self, label: str) -> None:
        """Not read: what a tar holds is found by reading it to its end."""

    @property
    def archive_url(self) -> str:
        return self._wal

    def layers(self, label: str) -> list[BackupLayer]:
        chain = self._chain(self.sentinels[label])
        if chain[0].delta_from is not None:
            raise NotABackup(
                tr(
                    "{lacking}: absent, and {label} is built on it",
                    lacking=chain[0].delta_from,
                    label=label,
                )
            )
        tars = Tars(self._backups, [each.name for each in chain])
        tars.read_metadata()
        return list(tars.layers())

    def facts(self) -> RepositoryFacts:
        listed = tuple(
            ListedBackup(
                backup.name, backup.finished_at, backup.stop_lsn, self._written_at[backup.name]
            )
            for backup in self.sentinels.values()
        )
        return RepositoryFacts(
            tool=self.tool,
            url=self.url,
            name="",
            number=self.number,
            backups=listed,
            gone=dict(self._gone()),
            unlisted={url.rpartition("/")[2]: at for url, at in self._unfinished()},
        )

    # -- encryption --------------------------------------------------------------------------------

    def _set_cipher(self) -> None:
        """Remember how the files are encrypted, if they are. Raises NotRead for a wrong key."""
        listing = Listing(root=self._wal)
        add_files(
            (file for file in self._list(self._wal).values() if not file.name.endswith(".history")),
            listing,
        )
        names = sorted(listing.segments)
        probes = [*names[-_PROBES // 2 :], *names[: _PROBES // 2]]
        files = [listing.segments[name] for name in dict.fromkeys(probes)]
        closed = [file for file in files if not _is_open(file)]
        if len(closed) * 2 <= len(files):
            return
        key = self._key
        if key is not None and not any(_decrypts(file, key) for file in closed):
            raise NotRead(
                tr(
                    "{path}: WALG_LIBSODIUM_KEY decrypts nothing of it: is it the right "
                    "key, and WALG_LIBSODIUM_KEY_TRANSFORM as it was?",
                    path=self._wal,
                )
            )
        cipher = Cipher("libsodium", key) if key else Cipher(tr("libsodium or OpenPGP"), None)
        for folder in (self._wal, self._backups):
            ciphers.remember(folder, cipher)

    # -- backups -----------------------------------------------------------------------------------

    def _read_sentinels(self) -> Iterator[tuple[str, WalgBackup]]:
        for name, file in sorted(self._list(self._backups).items()):
            if not name.endswith(SENTINEL_SUFFIX):
                continue
            label, path = name.removesuffix(SENTINEL_SUFFIX), f"{self._backups}/{name}"
            milliseconds = file.mtime_ns // 1_000_000  # below them a store's hold a version tag
            self._written_at[label] = datetime.fromtimestamp(milliseconds / 1000, UTC)
            try:
                yield label, parse_sentinel(read(path), label)
            except ParseError as error:
                self.unread[path] = tr("{path}: {error}", path=path, error=error)
            except OSError as error:
                self.unread[path] = tr("{path}: {reason}", path=path, reason=reason(error, path))

    def _read_backup(self, backup: WalgBackup, depth: BackupDepth) -> BackupFacts:
        chain = self._chain(backup)
        parents = tuple(each.name for each in chain[:-1])
        content = Tars(self._backups, [each.name for each in chain])
        content.read_metadata()
        if depth != "label":
            content.compare(whole=depth in ("checksums", "pages"))
        lacking = backup.delta_from if len(chain) == 1 else chain[0].delta_from
        if lacking is not None:
            content.bad.append(noted(lacking, tr("absent, and this backup is built on it")))
        return describe_backup(
            BackupContent(
                url=f"{self._backups}/{backup.name}",
                stored=StoredBackup(
                    repository=self.number,
                    label=backup.name,
                    kind="full" if backup.delta_from is None else "incr",
                    parents=parents,
                ),
                paths=content.paths,
                read=content.content,
                depth=depth,
                stop_lsn=backup.stop_lsn,
                started_at=backup.started_at,
                finished_at=backup.finished_at,
                bad=content.bad,
                unread=content.unread,
                major=backup.major,
                system_identifier=backup.system_identifier,
            )
        )

    def _chain(self, backup: WalgBackup) -> list[WalgBackup]:
        """The full backup and the deltas on it, as far back as they are there."""
        chain = [backup]
        while (before := chain[0].delta_from) is not None and before in self.sentinels:
            if any(each.name == before for each in chain):
                break
            chain.insert(0, self.sentinels[before])
        return chain

    def _unfinished(self) -> Iterator[tuple[str, datetime]]:
        for name in self._folders() or ():
            if BACKUP_NAME.match(name) and name not in self.sentinels:
                path = f"{self._backups}/{name}"
                if f"{path}{SENTINEL_SUFFIX}" not in self.unread:
                    yield path, datetime.fromtimestamp(_newest(path), UTC)

    def _gone(self) -> Iterator[tuple[str, str]]:
        """Backups of which the sentinel is there, and nothing else."""
        folders = self._folders()
        if folders is not None:
            for name in (name for name in self.sentinels if name not in folders):
                yield name, f"{self._backups}/{name}"

    def _folders(self) -> tuple[str, ...] | None:
        """What backups have left, whole or not; None: it cannot be listed."""
        try:
            return list_folder(self._backups).folders
        except OSError:
            return None

    def _list(self, path: str) -> Mapping[str, ArchivedFile]:
        try:
            return list_folder(path).files
        except OSError as error:
            if is_proof(error):
                return {}
            raise NotRead(unlisted(error, path)) from None


def _is_open(file: ArchivedFile) -> bool:
    """Whether a segment begins as one that is stored as it is, or in a codec's format."""
    try:
        head = read_range(file.path, 0, max(HEAD_BYTES, LONG_HEADER_BYTES))
    except OSError:
        return True
    known = any(codec.magic and head.startswith(codec.magic) for codec in CODECS)
    suffix = file.name[24:]
    unmarked = suffix in (".br", ".lzma", ".lzo")  # codecs whose files begin with anything
    return known or unmarked or not head or parse_header(head) is not None


def _decrypts(file: ArchivedFile, key: bytes) -> bool:
    try:
        with open_at(file.path) as stored:
            decrypted = ciphers.decrypting(stored, Cipher("libsodium", key))
            while decrypted.read(1 << 20):
                pass
    except (OSError, BadCipher):
        return False
    return True


def _newest(path: str) -> float:
    try:
        files = list_folder(path).files.values()
    except OSError:
        return 0.0
    return max((file.mtime_ns / 1e9 for file in files), default=0.0)
