"""The tars of a WAL-G backup, and of those that it is a delta of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import field
from functools import partial
from typing import Final

from agent.archive.ciphers import BadCipher
from agent.archive.codecs import BrokenStream
from agent.archive.tar import BrokenTar, read_members
from agent.backups.describe import CONTROL, LABEL, NotABackup
from agent.backups.layers import INCREMENT, BackupLayer, StoredFile
from agent.backups.noted import noted, of_backup
from agent.backups.settings import CONFIGURATION
from agent.backups.tablespaces import TABLESPACE_MAP
from agent.denied import is_proof, reason
from agent.repositories.backup import UnreadFile
from agent.repositories.files import MANIFEST_BYTES, list_folder, read
from parsers.errors import ParseError
from parsers.repository.walg import (
    FilesMetadata,
    parse_files_metadata,
)
from parsers.sentences import message_of, tr
from parsers.values import dataclass

_SMALL_FILE_BYTES: Final = 64 << 20
_PIECE_BYTES: Final = 1 << 20
# What only the newest backup of a chain has, each in a tar of its own.
_TAR_OF: Final = {
    LABEL: "backup_label.tar", TABLESPACE_MAP: "backup_label.tar", CONTROL: "pg_control.tar"
}  # fmt: skip
_UNPACKED: Final = 4  # times what a compressed tar takes: a guess


@dataclass(slots=True)
class Tars:
    """The tars of one backup, and of those that it is a delta of, the full one first."""

    root: str
    names: list[str]
    metadata: list[FilesMetadata] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)
    bad: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    def read_metadata(self) -> None:
        """What lies in which tar. Without it (--without-files-metadata) the small tars tell."""
        for name in self.names:
            path, metadata, why = f"{self.root}/{name}/files_metadata.json", _NO_METADATA, None
            try:
                metadata = parse_files_metadata(read(path, MANIFEST_BYTES))
            except ParseError as error:
                why = message_of(error)
            except OSError as error:
                why = None if is_proof(error) else reason(error, path)
            if why is not None:
                self.unread.append(noted(of_backup("files_metadata.json", name), why))
            self.metadata.append(metadata)
        self.paths |= _TAR_OF.keys()
        for each in self.metadata:
            self.paths.update(path for inside in each.tars.values() for path in inside)

    def compare(self, *, whole: bool) -> None:
        """Look for every tar that the metadata names; read each to its end if asked to."""
        for name, metadata in zip(self.names, self.metadata, strict=True):
            stored = self._tars_of(name)
            if stored is None:
                continue
            other = name if name != self.names[-1] else None
            absent = [tar for tar in metadata.tars if _plain(tar) not in stored]
            self.bad += [noted(of_backup(tar, other), tr("absent")) for tar in absent]
            if not whole:
                continue
            for tar, path in stored.items():
                wanted = {file for each, inside in metadata.tars.items() if _plain(each) == tar
                          for file in inside}  # fmt: skip
                self._read_through(tar, path, other, wanted)

    def layers(self) -> Iterator[BackupLayer]:
        """What each brings, the full backup first."""
        for name, metadata in zip(self.names, self.metadata, strict=True):
            stored = self._tars_of(name)
            if not stored:
                raise NotABackup(
                    tr("{path}: none of its tars can be read", path=f"{self.root}/{name}")
                )
            packed = list_folder(f"{self.root}/{name}/tar_partitions").files.values()
            yield BackupLayer(
                name=f"{self.root}/{name}",
                files=partial(_unpacked, stored.values(), metadata),
                files_bytes=_UNPACKED * sum(file.size_bytes for file in packed),
                unchanged=metadata.skipped,
            )

    def content(self, path: str) -> bytes | None:
        """A small file, of the newest backup of the chain that has it whole. Raises UnreadFile."""
        for name, metadata in zip(reversed(self.names), reversed(self.metadata), strict=True):
            tars = [tar for tar, inside in metadata.tars.items() if path in inside]
            if path in _TAR_OF:
                tars = [_TAR_OF[path]]
            stored = (self._tars_of(name) if tars else None) or {}
            for tar in tars:
                place = stored.get(_plain(tar))
                if place is not None and path not in metadata.incremented:
                    found = self._member(place, path)
                    if found is not None:
                        return found
            if path in _TAR_OF:
                return None
        return None

    def _tars_of(self, name: str) -> dict[str, str] | None:
        """The tars there are, without the codec's suffix; None, said, where that is unknown."""
        folder = f"{self.root}/{name}/tar_partitions"
        try:
            return {_plain(each): f"{folder}/{each}" for each in list_folder(folder).files}
        except OSError as error:
            if is_proof(error):
                return {}
            said = noted(of_backup("tar_partitions", name), reason(error, folder))
            if said not in self.unread:
                self.unread.append(said)
            return None

    def _member(self, tar: str, path: str) -> bytes | None:
        try:
            for member in read_members(tar):
                if member.name.lstrip("/") == path and member.size_bytes <= _SMALL_FILE_BYTES:
                    return member.read()
        except (BrokenTar, BrokenStream, BadCipher) as error:
            raise UnreadFile(message_of(error)) from None
        except OSError as error:
            raise UnreadFile(reason(error, tar)) from None
        return None

    def _read_through(self, tar: str, path: str, other: str | None, wanted: set[str]) -> None:
        found: set[str] = set()
        try:
            for member in read_members(path):
                found.add(member.name.lstrip("/"))
                while member.read(1 << 20):
                    pass
        except (BrokenTar, BrokenStream, BadCipher) as error:
            self.bad.append(noted(of_backup(tar, other), error))
        except OSError as error:
            self.unread.append(noted(of_backup(tar, other), reason(error, path)))
        else:
            self.bad += [
                noted(of_backup(file, other), tr("absent in {tar}", tar=tar))
                for file in sorted(wanted - found)
            ]


_NO_METADATA: Final = FilesMetadata(
    tars={"part_001.tar": CONFIGURATION}, skipped=frozenset(), incremented=frozenset()
)


def _unpacked(tars: Iterable[str], metadata: FilesMetadata) -> Iterator[StoredFile]:
    """The files of some tars, increments under a name that tells. Raises UnreadFile."""
    for tar in tars:
        try:
            for member in read_members(tar):
                name = member.name.lstrip("/")
                if name in metadata.incremented:
                    folder, slash, last = name.rpartition("/")
                    name = f"{folder}{slash}{INCREMENT}{last}"
                pieces = iter(partial(member.read, _PIECE_BYTES), b"")
                yield StoredFile(name, member.size_bytes, pieces)
        except (BrokenTar, BrokenStream, BadCipher) as error:
            raise UnreadFile(tr("{path}: {error}", path=tar, error=error)) from None


def _plain(tar: str) -> str:
    """A tar's name without the codec's suffix."""
    stem, dot, _ = tar.partition(".tar")
    return f"{stem}{dot}"
