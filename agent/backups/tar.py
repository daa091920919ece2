"""One base backup in tar format, compressed or not, read as streams and never unpacked.

pg_basebackup -Ft writes base.tar, one OID.tar for each tablespace, pg_wal.tar and, beside them, the
manifest. A data directory that a person packed into one tar is read as well: its files may lie
under a folder, with manifest and pg_wal among them. A tar that breaks off is a bad file of the
backup.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, NamedTuple

from agent.archive.codecs import READABLE_SUFFIXES
from agent.archive.directory import NotAnArchive, parse_header
from agent.archive.pg_wal import holds_its_name, list_pg_wal, tar_member
from agent.archive.tar import BrokenTar, Member, read_members
from agent.backups.describe import (
    CONTROL,
    LABEL,
    MANIFEST,
    VERSION,
    BackupDepth,
    NotABackup,
    Pieces,
    describe,
    read_file,
    read_manifest,
    read_mapped,
)
from agent.backups.files import checksum, chunks, wrong_checksum, wrong_size
from agent.backups.settings import CONFIGURATION, settings_of_texts
from agent.backups.tablespaces import TABLESPACE_MAP
from parsers.backup_manifest import BackupManifest, ManifestFile
from parsers.errors import ParseError
from parsers.segment import NameKind, parse_wal_name
from parsers.wal_page import LONG_HEADER_BYTES
from rules.facts import ArchivedFile, BackupFacts, BackupTablespace

_SMALL: Final = (LABEL, MANIFEST, CONTROL, VERSION, TABLESPACE_MAP, *CONFIGURATION)
_SMALL_FILE_BYTES: Final = 256 << 20  # a manifest has some 150 bytes a file
_TAR: Final = re.compile(r"\.tar(\.[a-z0-9]+)?\Z|\.tgz\Z")
_IN_PLACE: Final = re.compile(r"pg_tblspc/([1-9][0-9]{0,9})/.")
_TABLESPACE: Final = re.compile(r"([1-9][0-9]{0,9})\.tar(\.[a-z0-9]+)?\Z")
BASE_NAMES: Final = tuple(f"base.tar{suffix}" for suffix in ("", *READABLE_SUFFIXES))


def is_tar_backup(path: Path) -> bool:
    """Tell whether a path is a tar, or a directory with a base.tar in it."""
    if path.is_dir():
        return base_tar(path) is not None
    return path.is_file() and _TAR.search(path.name) is not None


def read_tar_backup(path: Path, depth: BackupDepth) -> BackupFacts:
    """Read one backup in tar format: its directory, or its base tar. Raises NotABackup."""
    base = path if path.is_file() else base_tar(path)
    if base is None:
        raise NotABackup(f"{path}: no base.tar in it")
    found = _Found(base)
    found.read(base, "", stop_at_label=depth == "label")
    found.strip_folder()
    pieces = found.pieces(base.parent)
    manifest, _ = read_manifest(pieces)
    if depth == "label":
        return _without_verdict_on_control(describe(str(path), pieces, None, depth))
    tablespaces = _tablespace_tars(base.parent)
    for tar in tablespaces:
        found.read(tar, f"pg_tblspc/{tar.name.partition('.')[0]}/")
    bad = [*found.broken, *_absent_tablespaces(found, tablespaces, pieces)]
    if manifest is not None:
        bad += _compare(manifest, found.sizes)
        if depth == "checksums":
            bad += _checksums(manifest, found.sizes, [(base, ""), *_prefixed(tablespaces)], found)
    return describe(str(path), pieces, bad, depth)


class BackupTar(NamedTuple):
    """One tar of a backup, and where in the data directory its files belong."""

    path: Path
    prefix: str  # pg_tblspc/<oid>/ or pg_wal/; empty for the base
    folder: str = ""  # that a person packed the base under: not a part of the names


def tars_of(path: Path) -> list[BackupTar]:
    """The tars of one backup: base, tablespaces, WAL. Raises NotABackup."""
    base = path if path.is_file() else base_tar(path)
    if base is None:
        raise NotABackup(f"{path}: no base.tar in it")
    found = _Found(base)
    found.read(base, "", stop_at_label=True)
    found.strip_folder()
    wal = _wal_tar(base.parent)
    return [
        BackupTar(base, "", found.folder),
        *(BackupTar(tar, prefix) for tar, prefix in _prefixed(_tablespace_tars(base.parent))),
        *([BackupTar(wal, "pg_wal/")] if wal else ()),
    ]


def _tablespace_tars(directory: Path) -> list[Path]:
    return [path for path in sorted(directory.iterdir()) if _TABLESPACE.match(path.name)]


def base_tar(directory: Path) -> Path | None:
    """The base.tar of a backup's directory, compressed or not; None without one."""
    return next((directory / name for name in BASE_NAMES if (directory / name).is_file()), None)


def _without_verdict_on_control(facts: BackupFacts) -> BackupFacts:
    """At depth label the reading ends at the label: the control file is a tar's last member."""
    return facts if facts.control else replace(facts, bad_files=())


@dataclass(slots=True)
class _Found:
    """What one pass through the tars of a backup brings."""

    base: Path
    sizes: dict[str, int] = field(default_factory=dict)  # path in the data directory -> bytes
    small: dict[str, bytes] = field(default_factory=dict)
    wal: dict[str, ArchivedFile] = field(default_factory=dict)
    segment_size: int | None = None
    folder: str = ""  # that a person packed the files under
    broken: list[str] = field(default_factory=list)

    def read(self, tar: Path, prefix: str, *, stop_at_label: bool = False) -> None:
        """Go through one tar. What it holds before it breaks counts."""
        try:
            status = tar.stat()
            for member in read_members(str(tar)):
                self._take(tar, prefix, member, status)
                if stop_at_label and _is(member.name, LABEL):
                    return
        except BrokenTar as error:
            self.broken.append(f"{tar.name} ({error})")
        except OSError as error:
            self.broken.append(f"{tar.name} (cannot be read: {error.strerror})")

    def _take(self, tar: Path, prefix: str, member: Member, status: os.stat_result) -> None:
        name = prefix + member.name
        self.sizes[name] = member.size_bytes
        if not prefix and any(_is(name, small) for small in _SMALL):
            if member.size_bytes <= _SMALL_FILE_BYTES:
                self.small[name] = member.read()
        elif not prefix and _is_segment(name):
            header = parse_header(member.read(LONG_HEADER_BYTES))
            segment = name.rpartition("/")[2]
            if header is not None and holds_its_name(segment, header):
                self.wal[segment] = tar_member(str(tar), member, status)
                self.segment_size = header.segment_size

    def strip_folder(self) -> None:
        """Take the folder off that holds the backup_label nearest to the root."""
        labels = [name for name in self.small if _is(name, LABEL)]
        if not labels:
            reason = self.broken[0] if self.broken else f"no {LABEL} in it"
            raise NotABackup(f"{self.base}: {reason}: it is no base backup that can be restored")
        self.folder = min(labels, key=len)[: -len(LABEL)]
        length = len(self.folder)
        self.sizes = {name[length:]: size for name, size in self.sizes.items()}
        self.small = {name[length:]: data for name, data in self.small.items()}

    def pieces(self, directory: Path) -> Pieces:
        """The small files; a manifest and the WAL may lie beside the tar."""
        pieces = Pieces(
            label=self.small[LABEL],
            manifest=self.small.get(MANIFEST),
            control=self.small.get(CONTROL),
            version=self.small.get(VERSION),
            wal_files=self.wal,
            wal_segment_size=self.segment_size,
            tablespace_map=self.small.get(TABLESPACE_MAP),
            links=self._directories(),
            paths=self.sizes,
        )
        with suppress(ParseError):
            pieces.settings = settings_of_texts(self.small, str(self.base)) or None
        if pieces.manifest is None:
            pieces.manifest, pieces.manifest_error = read_file(directory / MANIFEST)
        with suppress(NotAnArchive):
            wal = list_pg_wal(str(_wal_tar(directory) or self.base / "none"))
            pieces.wal_files = {**wal.segments, **self.wal}
            pieces.wal_segment_size = pieces.wal_segment_size or wal.segment_size_bytes
        return pieces

    def _directories(self) -> list[BackupTablespace]:
        """Tablespaces that the base tar holds as directories."""
        found = {match[1] for name in self.sizes if (match := _IN_PLACE.match(name))}
        return [BackupTablespace(int(oid), None, filled=True) for oid in sorted(found)]


def _wal_tar(directory: Path) -> Path | None:
    names = (f"pg_wal.tar{suffix}" for suffix in ("", *READABLE_SUFFIXES))
    return next((directory / name for name in names if (directory / name).is_file()), None)


def _is(name: str, wanted: str) -> bool:
    return name == wanted or name.endswith(f"/{wanted}")


def _is_segment(name: str) -> bool:
    folder, _, stored = name.rpartition("/")
    parsed = parse_wal_name(stored)
    return _is(folder, "pg_wal") and parsed is not None and parsed.kind is NameKind.SEGMENT


# -- holding it against the manifest -------------------------------------------------------------


def _compare(manifest: BackupManifest, sizes: dict[str, int]) -> Iterator[str]:
    for file in manifest.files:
        size = sizes.get(file.path)
        reason = "absent" if size is None else wrong_size(size, file)
        if reason:
            yield f"{file.path} ({reason})"


def _absent_tablespaces(found: _Found, tars: Iterable[Path], pieces: Pieces) -> Iterator[str]:
    """The tablespaces of the map of which there is no tar, and no folder in the base tar."""
    there = {int(tar.name.partition(".")[0]) for tar in tars}
    for space in read_mapped(pieces)[0]:
        folder = f"pg_tblspc/{space.oid}/"
        if space.oid not in there and not any(name.startswith(folder) for name in found.sizes):
            yield f"{space.oid}.tar (absent)"


def _prefixed(tablespaces: Iterable[Path]) -> list[tuple[Path, str]]:
    return [(tar, f"pg_tblspc/{tar.name.partition('.')[0]}/") for tar in tablespaces]


def _checksums(
    manifest: BackupManifest,
    sizes: dict[str, int],
    tars: Iterable[tuple[Path, str]],
    found: _Found,
) -> Iterator[str]:
    """Go through the tars once more, now that the manifest and the folder are known."""
    wanted = {
        file.path: file
        for file in manifest.files
        if file.checksum_algorithm and sizes.get(file.path) == file.size_bytes
    }
    for tar, prefix in tars:
        yield from _checksums_of(tar, prefix, "" if prefix else found.folder, wanted)


def _checksums_of(
    tar: Path, prefix: str, folder: str, wanted: dict[str, ManifestFile]
) -> Iterator[str]:
    try:
        for member in read_members(str(tar)):
            file = wanted.get(prefix + member.name.removeprefix(folder))
            if file is not None:
                reason = wrong_checksum(checksum(chunks(member.read), file), file)
                if reason:
                    yield f"{file.path} ({reason})"
    except (BrokenTar, OSError):
        return  # the first pass has said so
