"""The files of a pgBackRest backup: stored one by one, bundled or in blocks, in the folder of this
backup or of one that it refers to.

What is stored is held against the SHA-1 of the stored bytes where the manifest has it, without
decoding anything; else it is decoded and held against the SHA-1 of the content.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from datetime import UTC, datetime
from functools import partial
from io import BufferedReader
from typing import Final, NamedTuple

from agent.archive import ciphers
from agent.archive.ciphers import BadCipher, Cipher
from agent.archive.codecs import HEAD_BYTES, BrokenStream, Flaw, Stream
from agent.backups.describe import BackupDepth
from agent.backups.layers import BackupLayer, StoredFile
from agent.backups.noted import noted, of_backup
from agent.denied import is_proof, reason
from agent.repositories.backup import BackupContent, UnreadFile, describe_backup
from agent.repositories.files import read_range, walk
from parsers.errors import ParseError
from parsers.repository.block_map import MappedBlock, parse_block_map
from parsers.repository.pgbackrest import (
    BLOCK_SUFFIX,
    SUFFIXES,
    BackupEntry,
    RepositoryFile,
    RepositoryManifest,
)
from parsers.segment import NameKind, parse_wal_name
from parsers.sentences import message_of, tr
from parsers.values import dataclass
from rules.model.facts import ArchivedFile, BackupFacts, StoredBackup

_DATA: Final = "pg_data/"
_PIECE_BYTES: Final = 4 << 20
_SUPER_BLOCK_BYTES: Final = 32 << 20  # its repo-block-size-super-full is a MiB, unless it is set
_KEPT_BLOCKS: Final = 16  # super blocks, decoded
_KEPT_BYTES: Final = 32 << 20  # of them
_STORED_BYTES: Final = 64 << 20  # of one, or of the map of a file's blocks
_SMALL_BYTES: Final = 64 << 20  # of what is decoded here: configuration, label, pg_control


class _BadContent(UnreadFile):
    """It can be read, and cannot be decoded or is not what the manifest says."""


class Stanza(NamedTuple):
    """Whose backups they are, and where they lie."""

    root: str
    name: str
    number: int
    system_identifier: int | None


def read_content(
    stanza: Stanza, entry: BackupEntry, manifest: RepositoryManifest, depth: BackupDepth
) -> BackupFacts:
    """Read one backup that the repository lists. Raises NotABackup."""
    files = _Files(stanza.root, stanza.name, manifest)
    if depth != "label":
        files.compare(checksums=depth in ("checksums", "pages"))
    inside = _inside(manifest)
    return describe_backup(
        BackupContent(
            url=f"{stanza.root}/backup/{stanza.name}/{entry.label}",
            stored=StoredBackup(
                repository=stanza.number,
                label=entry.label,
                kind=entry.kind,
                parents=entry.references,
                page_errors=entry.page_errors,
            ),
            paths=inside,
            read=lambda path: files.content(inside[path]),
            depth=depth,
            stop_lsn=entry.stop_lsn,
            started_at=datetime.fromtimestamp(entry.started_at, UTC),
            finished_at=datetime.fromtimestamp(entry.stopped_at, UTC),
            wal=dict(files.carried_wal(inside)),
            bad=files.bad,
            unread=files.unread,
            system_identifier=stanza.system_identifier,
        )
    )


class StoredFiles:
    """What is in the files of one backup, by their paths in the data directory."""

    def __init__(self, root: str, stanza: str, manifest: RepositoryManifest) -> None:
        self._files = _Files(root, stanza, manifest)
        self._inside = _inside(manifest)

    def databases(self) -> list[int]:
        parts = (path.split("/") for path in self._inside)
        return sorted({int(part[1]) for part in parts if part[0] == "base" and part[1].isdigit()})

    def layer(self) -> BackupLayer:
        """All of it, to be restored."""
        files = self._files.manifest.files
        return BackupLayer(
            name=self._files.url,
            files=lambda: (_stored(file, self._files) for file in files),
            files_bytes=sum(file.size_bytes for file in files),
        )

    def read(self, path: str) -> bytes | None:
        file = self._inside.get(path)
        try:
            return self._files.content(file) if file else None
        except UnreadFile:
            return None


def _stored(file: RepositoryFile, files: _Files) -> StoredFile:
    def pieces() -> Iterator[bytes]:
        try:
            yield from files.restored(file)
        except FileNotFoundError:
            raise UnreadFile(tr("{path}: absent in the repository", path=file.path)) from None
        except UnreadFile as error:
            raise UnreadFile(tr("{path}: {error}", path=file.path, error=error)) from None

    return StoredFile(file.path.removeprefix(_DATA), file.size_bytes, pieces())


def _inside(manifest: RepositoryManifest) -> dict[str, RepositoryFile]:
    return {
        file.path.removeprefix(_DATA): file
        for file in manifest.files
        if file.path.startswith(_DATA)
    }


@dataclass(slots=True)
class _Files:
    """Where the files of one backup are stored."""

    root: str
    stanza: str
    manifest: RepositoryManifest
    bad: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    _listed: dict[str, Mapping[str, ArchivedFile] | None] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self._folder(self.manifest.label)

    def place(self, file: RepositoryFile) -> str:
        """The stored file that holds it: its own, or a bundle."""
        folder = self._folder(file.reference or self.manifest.label)
        if file.bundle is not None:
            return f"{folder}/bundle/{file.bundle}"
        return f"{folder}/{file.path}{self._suffix(file)}"

    def compare(self, *, checksums: bool) -> None:
        """Look for each file where it is stored, of its size, and with its checksum if asked."""
        for label in self.manifest.references:
            self._stored_in(label)
        bundles = any(file.bundle is not None for file in self.manifest.files)
        for file in self.manifest.files:
            if file.size_bytes == 0 and file.bundle is None and bundles:
                continue  # stored nowhere
            if self._listed.get(file.reference or self.manifest.label) is None:
                continue  # its whole folder is absent or unread, and said to be
            try:
                why = self._look(file, checksums)
            except UnreadFile as error:
                self.unread.append(noted(file.path, error))
                continue
            if why:
                self.bad.append(noted(of_backup(file.path, file.reference), why))

    def content(self, file: RepositoryFile) -> bytes | None:
        """A file's content; None where it is not there. Raises UnreadFile."""
        if file.size_bytes == 0:
            return b""
        if file.size_bytes > _SMALL_BYTES:
            raise UnreadFile(tr("{size} bytes: larger than such a file is", size=file.size_bytes))
        try:
            return b"".join(self.restored(file))
        except FileNotFoundError:
            return None

    def restored(self, file: RepositoryFile) -> Iterator[bytes]:
        """A file's content, held to its checksum. Raises FileNotFoundError, UnreadFile."""
        digest = hashlib.sha1()
        is_raw = file.bundle is not None and self.manifest.bundle_raw
        whole = file.block_bytes is None
        pieces = self._decoded(self._pieces(file), raw=is_raw) if whole else self._blocks(file)
        for piece in pieces if file.size_bytes else ():
            digest.update(piece)
            yield piece
        if file.size_bytes and digest.hexdigest() != file.checksum:
            raise _BadContent(tr("its content is not what the manifest says: SHA-1 differs"))

    def carried_wal(
        self, inside: Mapping[str, RepositoryFile]
    ) -> Iterator[tuple[str, ArchivedFile]]:
        """The segments in its own pg_wal (archive-copy), where they are stored one by one."""
        for path, file in inside.items():
            folder, _, name = path.rpartition("/")
            parsed = parse_wal_name(name) if folder == "pg_wal" else None
            if parsed is None or parsed.kind is not NameKind.SEGMENT or file.bundle is not None:
                continue
            label = file.reference or self.manifest.label
            stored = (self._stored_in(label) or {}).get(f"{file.path}{self._suffix(file)}")
            if stored is not None:
                yield name, stored

    # -- how ---------------------------------------------------------------------------------------

    def _folder(self, label: str) -> str:
        return f"{self.root}/backup/{self.stanza}/{label}"

    def _suffix(self, file: RepositoryFile) -> str:
        return BLOCK_SUFFIX if file.block_bytes else SUFFIXES[self.manifest.compression]

    def _stored_in(self, label: str) -> Mapping[str, ArchivedFile] | None:
        """The files stored in one backup's folder; None, said, where it cannot be had."""
        if label in self._listed:
            return self._listed[label]
        folder, listed = self._folder(label), None
        try:
            listed = {file.path[len(folder) + 1 :]: file for file in walk(folder)}
        except OSError as error:
            if is_proof(error):
                self.bad.append(noted(label, tr("absent, and this backup is built on it")))
            else:
                self.unread.append(noted(label, reason(error, folder)))
        self._listed[label] = listed
        return listed

    def _look(self, file: RepositoryFile, checksums: bool) -> str | None:
        label = file.reference or self.manifest.label
        path = self.place(file)
        stored = (self._listed.get(label) or {}).get(path[len(self._folder(label)) + 1 :])
        if stored is None:
            return tr("absent")
        wanted = file.offset + file.stored_bytes
        if file.bundle is None and stored.size_bytes != file.stored_bytes:
            return tr(
                "{size} bytes instead of {expected}",
                size=stored.size_bytes,
                expected=file.stored_bytes,
            )
        if stored.size_bytes < wanted:
            return tr(
                "its bundle has {size} bytes of {wanted}",
                size=stored.size_bytes,
                wanted=wanted,
            )
        return self._wrong_checksum(file) if checksums and file.size_bytes else None

    def _wrong_checksum(self, file: RepositoryFile) -> str | None:
        expected = file.stored_checksum
        encoded = self.manifest.passphrase is not None or self.manifest.compression != "none"
        if expected is None and (encoded or file.block_bytes is not None):
            return self._wrong_content(file)  # stored as it is, its own SHA-1 is that of the bytes
        digest = hashlib.sha1()
        for piece in self._pieces(file):
            digest.update(piece)
        return None if digest.hexdigest() == (expected or file.checksum) else tr("SHA-1 differs")

    def _wrong_content(self, file: RepositoryFile) -> str | None:
        """Of a backup older than 2.44: by its content, read through once."""
        try:
            for _ in self.restored(file):
                pass
        except FileNotFoundError:
            return tr("absent")
        except _BadContent as error:
            if self.manifest.passphrase is None or "key" not in str(error):
                return message_of(error)
            raise
        return None

    def _pieces(self, file: RepositoryFile) -> Iterator[bytes]:
        """The stored bytes. Raises FileNotFoundError, UnreadFile."""
        path, at, end = self.place(file), file.offset, file.offset + file.stored_bytes
        try:
            while at < end:
                piece = read_range(path, at, min(_PIECE_BYTES, end - at))
                if not piece:
                    return
                at += len(piece)
                yield piece
        except FileNotFoundError:
            raise
        except OSError as error:
            raise UnreadFile(reason(error, path)) from None

    def _decoded(self, pieces: Iterator[bytes], *, raw: bool) -> Iterator[bytes]:
        """Decrypted and decompressed. Raises what the pieces raise, UnreadFile."""
        file = ciphers.file_of(pieces)
        if self.manifest.passphrase is not None:
            key = self.manifest.passphrase.encode()
            file = ciphers.decrypting(file, Cipher("aes-256-cbc", key, raw))
        try:
            yield from _decompressed(file, self.manifest.compression)
        except (BadCipher, BrokenStream, zlib.error) as error:
            raise _BadContent(message_of(error)) from None

    def _blocks(self, file: RepositoryFile) -> Iterator[bytes]:
        """Put a file together from the blocks that its map names.

        Raises FileNotFoundError, UnreadFile.
        """
        recent: dict[tuple[int, int, int], bytes] = {}
        for block in self._block_map(file):
            key = block[:3]
            if key not in recent:
                while len(recent) == _KEPT_BLOCKS or sum(map(len, recent.values())) > _KEPT_BYTES:
                    del recent[next(iter(recent))]
                recent[key] = self._super_block(file, block)
            assert file.block_bytes is not None
            start = block.number * file.block_bytes
            yield recent[key][start : start + file.block_bytes]

    def _block_map(self, file: RepositoryFile) -> Iterable[MappedBlock]:
        assert file.block_bytes is not None
        at = file.offset + file.stored_bytes - file.map_bytes
        data = self._read(self.place(file), at, file.map_bytes)
        try:
            if self.manifest.passphrase is not None:
                key = self.manifest.passphrase.encode()
                data = ciphers.decrypt(data, Cipher("aes-256-cbc", key, raw=True))
            return parse_block_map(data, file.block_bytes, file.block_checksum_bytes)
        except (BadCipher, ParseError) as error:
            raise _BadContent(tr("its block map: {error}", error=error)) from None

    def _super_block(self, file: RepositoryFile, block: MappedBlock) -> bytes:
        try:
            label = self.manifest.references[block.reference]
        except IndexError:
            raise _BadContent(tr("its block map names a backup that is none")) from None
        name = f"bundle/{block.bundle}" if block.bundle else f"{file.path}{BLOCK_SUFFIX}"
        path = f"{self._folder(label)}/{name}"
        try:
            stored = self._read(path, block.offset, block.stored_bytes)
        except FileNotFoundError:
            raise UnreadFile(tr("{path}: absent", path=path)) from None
        data = bytearray()
        for piece in self._decoded(iter((stored,)), raw=True):
            data += piece
            if len(data) > _SUPER_BLOCK_BYTES:
                raise UnreadFile(
                    tr(
                        "{path}: a block that unpacks to over {size} MiB",
                        path=path,
                        size=len(data) >> 20,
                    )
                )
        return bytes(data)

    def _read(self, path: str, start: int, length: int) -> bytes:
        """Raises FileNotFoundError, UnreadFile."""
        if length > _STORED_BYTES:
            raise UnreadFile(
                tr(
                    "{path}: a part of {size} MiB that has to be read at once",
                    path=path,
                    size=length >> 20,
                )
            )
        try:
            return read_range(path, start, length)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise UnreadFile(
                tr("{path}: {reason}", path=path, reason=reason(error, path))
            ) from None


def _decompressed(file: BufferedReader, codec: str) -> Iterator[bytes]:
    """Raises BrokenStream, zlib.error."""
    if codec == "none":
        yield from iter(partial(file.read, _PIECE_BYTES), b"")
    elif codec == "gz":
        zipped = zlib.decompressobj(wbits=47)  # in gzip's format or, with raw, in zlib's
        for piece in iter(partial(file.read, _PIECE_BYTES), b""):
            while piece:
                yield zipped.decompress(piece, _PIECE_BYTES)
                piece = zipped.unconsumed_tail
        yield zipped.flush()
        if not zipped.eof:
            raise BrokenStream(Flaw.CUT, tr("its gzip stream is cut short"))
    else:
        stream = Stream(file, file.peek(HEAD_BYTES)[:HEAD_BYTES], SUFFIXES[codec])
        yield from iter(partial(stream.read, _PIECE_BYTES), b"")
