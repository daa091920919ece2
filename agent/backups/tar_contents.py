"""What the tars of one backup hold: found in one pass, and the small files read."""

from __future__ import annotations

import errno
import re
from dataclasses import field
from typing import Final

from agent.archive.codecs import READABLE_SUFFIXES
from agent.archive.directory import NotAnArchive, holds_its_name, parse_header
from agent.archive.pg_wal import CannotRead, TimedFile, list_pg_wal, tar_member
from agent.archive.tar import BrokenTar, Directory, Member, NoFile, read_entries, read_members
from agent.backups.describe import (
    CONTROL,
    LABEL,
    MANIFEST,
    MANIFEST_BYTES,
    SIGNALS,
    VERSION,
    NoBackupInTar,
    NotABackup,
    Pieces,
    is_there,
    keep_manifest,
)
from agent.backups.kept import Kept
from agent.backups.noted import noted
from agent.backups.settings import (
    CONFIGURATION,
    ConfigurationRead,
    is_configuration,
    read_configuration,
)
from agent.backups.tablespaces import TABLESPACE_MAP
from agent.denied import reason
from agent.store.local import NotAFile
from agent.store.paths import AnyPath, look_at
from parsers.segment import NameKind, parse_wal_name
from parsers.sentences import tr
from parsers.values import dataclass
from parsers.wal.page import LONG_HEADER_BYTES
from rules.model.facts import ArchivedFile, BackupTablespace

_SMALL: Final = (LABEL, MANIFEST, CONTROL, VERSION, TABLESPACE_MAP, *CONFIGURATION)
_SMALL_FILE_BYTES: Final = 1 << 20  # of the others, as beside a backup that is no tar
_MOST_UNREAD: Final = 10  # that are named
_SMALL_BYTES: Final = 16 << 20  # of all of them: a tar may hold many that are named so
_IN_PLACE: Final = re.compile(r"pg_tblspc/([1-9][0-9]{0,9})/.")
IS_TAR: Final = re.compile(r"\.tar(\.[a-z0-9]+)?\Z|\.tgz\Z").search
TABLESPACE: Final = re.compile(r"([1-9][0-9]{0,9})\.tar(\.[a-z0-9]+)?\Z").match


def is_packed(name: str) -> bool:
    """Whether a file of this name may be a whole data directory: not a part of another backup."""
    parts = name.partition(".")[0] in ("base", "pg_wal") or TABLESPACE(name)
    return IS_TAR(name) is not None and not parts


@dataclass(slots=True)
class Contents:
    """What one pass through the tars of a backup brings."""

    base: AnyPath
    sizes: dict[str, int] = field(default_factory=dict)  # path in the data directory -> bytes
    directories: set[str] = field(default_factory=set)
    no_files: dict[str, str] = field(default_factory=dict)  # links, pipes and devices: path -> kind
    small: dict[str, bytes] = field(default_factory=dict)
    manifest: tuple[str, Kept] | None = None  # the one nearest to the root, and its path
    wal: dict[str, ArchivedFile] = field(default_factory=dict)
    segment_size: int | None = None
    folder: str = ""  # that a person packed the files under
    broken: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)  # tars that the system does not let us read
    closed: list[str] = field(default_factory=list)  # what the paths of their files begin with
    _small_bytes: int = 0  # of `small`

    def read(self, tar: AnyPath, prefix: str, *, stop_at_label: bool = False) -> None:
        """Go through one tar. What it holds before it breaks counts."""
        try:
            status = look_at(tar)
            for entry in read_entries(str(tar)):
                if isinstance(entry, Directory):
                    self.directories.add(prefix + entry.name)
                    continue
                if isinstance(entry, NoFile):
                    self.no_files[prefix + entry.name] = entry.kind
                    continue
                self._take(tar, prefix, entry, status)
                if stop_at_label and is_named(entry.name, LABEL):
                    return
        except BrokenTar as error:
            self.broken.append(noted(tar.name, error))
        except OSError as error:
            self.unread.append(noted(tar.name, reason(error, tar)))
            self.closed.append(prefix)

    def _take(self, tar: AnyPath, prefix: str, member: Member, status: TimedFile) -> None:
        name = prefix + member.name
        self.sizes[name] = member.size_bytes
        if not prefix and (
            name.endswith(".conf") or any(is_named(name, small) for small in _SMALL)
        ):
            self._keep(name, member)
        elif not prefix and _is_segment(name):
            header = parse_header(member.read(LONG_HEADER_BYTES))
            segment = name.rpartition("/")[2]
            if header is not None and holds_its_name(segment, header):
                self.wal[segment] = tar_member(str(tar), member, status)
                self.segment_size = header.segment_size

    def _keep(self, name: str, member: Member) -> None:
        """Read a small file; of several manifests the one nearest to the root."""
        of_manifest = is_named(name, MANIFEST)
        if of_manifest and self.manifest and len(self.manifest[0]) <= len(name):
            return
        most = MANIFEST_BYTES if of_manifest else _SMALL_FILE_BYTES
        all_of_them = self._small_bytes + (0 if of_manifest else member.size_bytes)
        if member.size_bytes <= most and all_of_them <= _SMALL_BYTES:
            if of_manifest:
                self.manifest = name, Kept(member.read)
                return
            self._small_bytes = all_of_them
            self.small[name] = member.read()
        elif len(self.unread) < _MOST_UNREAD:
            why = (
                tr("larger than {size} MiB: not read", size=most >> 20)
                if member.size_bytes > most
                else tr(
                    "with others of such names over {size} MiB: not read", size=_SMALL_BYTES >> 20
                )
            )
            self.unread.append(noted(name, why))

    def strip_folder(self) -> None:
        """Take the folder off that holds the backup_label nearest to the root."""
        labels = [name for name in self.small if is_named(name, LABEL)]
        if not labels and self.unread:
            raise NotABackup(
                tr(
                    "{path}: cannot be read: {reason}",
                    path=self.base.parent,
                    reason=self.unread[0],
                )
            )
        for name in (*self.no_files, *self.directories):
            if not labels and is_named(name, LABEL):
                raise NotABackup(
                    tr(
                        "{path}: {name}: cannot be read: {reason}",
                        path=self.base,
                        name=name,
                        reason=self.no_file(name),
                    )
                )
        if not labels:
            why = self.broken[0] if self.broken else tr("no backup_label in it")
            foreign = not self.broken and not any(is_named(name, CONTROL) for name in self.sizes)
            kind = NoBackupInTar if foreign and is_packed(self.base.name) else NotABackup
            raise kind(
                tr(
                    "{path}: {why}: it is no base backup that can be restored",
                    path=self.base,
                    why=why,
                )
            )
        self.folder = min(labels, key=len)[: -len(LABEL)]
        length = len(self.folder)
        self.sizes = {name[length:]: size for name, size in self.sizes.items()}
        self.small = {name[length:]: data for name, data in self.small.items()}
        self.directories = {name[length:] for name in self.directories}
        self.no_files = {name[length:]: kind for name, kind in self.no_files.items()}

    @property
    def is_complete(self) -> bool:
        """Whether what was not found in the base is not there."""
        return not self.broken and "" not in self.closed

    def no_file(self, path: str) -> str | None:
        """What has the path and is no file; None: a file, or nothing."""
        directory = tr("a directory, not a file") if path in self.directories else None
        return self.no_files.get(path, directory)

    def configuration(self) -> ConfigurationRead:
        """Read the settings; files under names of no configuration are fetched when included."""
        while True:
            files = _TarConfiguration(self)
            read = read_configuration(files)
            if not files.wanted:
                return read
            if not self._fetch(files.wanted):
                self.unread += [noted(name, tr("not read")) for name in sorted(files.wanted)]
                return read

    def _fetch(self, names: set[str]) -> bool:
        """Read these files of the base; False when none of them can be."""
        before = len(self.small)
        try:
            for member in read_members(str(self.base)):
                name = member.name.removeprefix(self.folder)
                if name in names and member.size_bytes <= _SMALL_FILE_BYTES:
                    self.small[name] = member.read()
        except (BrokenTar, OSError):  # the first pass has said so
            pass
        return len(self.small) > before

    def pieces(self, directory: AnyPath) -> Pieces:
        """The small files; a manifest and the WAL may lie beside the tar."""
        pieces = Pieces(
            label=self.small[LABEL],
            manifest=self.manifest[1]
            if self.manifest and self.manifest[0] == self.folder + MANIFEST
            else None,
            control=self.small.get(CONTROL),
            version=self.small.get(VERSION),
            wal_files=self.wal,
            wal_segment_size=self.segment_size,
            tablespace_map=self.small.get(TABLESPACE_MAP),
            links=self._directories(),
            signal_files=[name for name in SIGNALS if name in self.sizes or self.no_file(name)],
            paths=self.sizes,
        )
        if pieces.manifest is None:
            pieces.manifest, pieces.manifest_error = keep_manifest(directory)
        if pieces.manifest is None and (kind := self.no_file(MANIFEST)):
            pieces.manifest_error = tr("cannot be read: {reason}", reason=kind)
        for name in (CONTROL, VERSION, TABLESPACE_MAP):
            if kind := self.no_file(name):
                pieces.unread.append(noted(name, kind))
        if self.no_file(CONTROL):
            pieces.control_error = None
        try:
            wal = list_pg_wal(wal_tar(directory) or self.base / "none")
        except CannotRead as error:
            pieces.unread.append(noted("pg_wal.tar", error.reason))
        except NotAnArchive:
            pass
        else:
            pieces.wal_files = {**wal.segments, **self.wal}
            pieces.wal_segment_size = pieces.wal_segment_size or wal.segment_size_bytes
        if "" in self.closed:
            pieces.control_error = None
        return pieces

    def _directories(self) -> list[BackupTablespace]:
        """Tablespaces that the base tar holds as directories."""
        found = {match[1] for name in self.sizes if (match := _IN_PLACE.match(name))}
        return [BackupTablespace(int(oid), None, filled=True) for oid in sorted(found)]


class _TarConfiguration:
    """The files of a base tar, as the configuration asks for them."""

    def __init__(self, found: Contents) -> None:
        self.directory = str(found.base)
        self.wanted: set[str] = set()  # that are in the tar and were not read
        self._found = found

    def read(self, name: str) -> bytes | None:
        """Raises NotAFile."""
        data = self._found.small.get(name)
        if data is None and (kind := self._found.no_file(name)):
            raise NotAFile(errno.EINVAL, kind, name)
        if data is None and name in self._found.sizes:
            self.wanted.add(name)
        return data

    def list_configuration(self, folder: str) -> list[str] | None:
        inside = f"{folder}/"
        there = (*self._found.sizes, *self._found.no_files)
        names = [name for name in there if name.startswith(inside)]
        if not names and folder not in self._found.directories:
            return None
        return [
            name
            for name in names
            if "/" not in name.removeprefix(inside) and is_configuration(name.removeprefix(inside))
        ]


def wal_tar(directory: AnyPath) -> AnyPath | None:
    names = (f"pg_wal.tar{suffix}" for suffix in ("", *READABLE_SUFFIXES))
    return next((directory / name for name in names if is_there(directory / name)), None)


def is_named(name: str, wanted: str) -> bool:
    return name == wanted or name.endswith(f"/{wanted}")


def _is_segment(name: str) -> bool:
    folder, _, stored = name.rpartition("/")
    parsed = parse_wal_name(stored)
    return is_named(folder, "pg_wal") and parsed is not None and parsed.kind is NameKind.SEGMENT
