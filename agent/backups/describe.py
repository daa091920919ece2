"""From a base backup's own files, however they are stored, to what they say together."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import Final, Literal

from agent.archive.directory import parse_header
from agent.archive.stored import read_stored
from agent.backups.kept import Kept
from agent.backups.noted import noted
from agent.backups.settings import ConfigurationRead
from agent.backups.tablespaces import TABLESPACE_MAP, with_map
from agent.denied import is_proof, reason
from agent.store.paths import AnyPath, look_at, open_path, read_path, too_large
from parsers.errors import ParseError
from parsers.files.backup_label import BackupLabel, parse_backup_label
from parsers.files.backup_manifest import BackupManifest, parse_manifest_blocks
from parsers.files.pg_control import ControlFile, OtherRelease, parse_control_file
from parsers.files.server_conf import FileSetting
from parsers.files.tablespace_map import Tablespace, parse_tablespace_map
from parsers.lsn import format_lsn
from parsers.segment import segment_name
from parsers.sentences import message_of, tr
from parsers.values import dataclass
from parsers.wal.page import LONG_HEADER_BYTES, NEWEST_MAJOR
from rules.backup.completeness import label_time
from rules.backup.configuration import settings_of_files
from rules.model.facts import (
    ArchivedFile,
    BackupFacts,
    BackupTablespace,
    PagesFacts,
    UnreadSettings,
    WalNeed,
)

LABEL: Final = "backup_label"
MANIFEST: Final = "backup_manifest"
CONTROL: Final = "global/pg_control"
VERSION: Final = "PG_VERSION"
SIGNALS: Final = ("recovery.signal", "standby.signal")
# An unlogged relation is its init fork alone: reinit.c.
_INIT_FORK: Final = re.compile(r"(base/\d+|pg_tblspc/\d+/[^/]+/\d+)/\d+_init\Z")

BackupDepth = Literal["label", "files", "checksums", "pages"]

_VERSION_NUMBER: Final = re.compile(rb"\s*\+?([0-9]{1,9})(?![0-9])")
_WITHOUT_VERSION: Final = 14  # the oldest that reads tablespace_map as all since
# What is larger is not what its name says, or more than can be held in memory.
_LIMIT_BYTES: Final = 1 << 20
MANIFEST_BYTES: Final = 2 << 30  # some 150 bytes a file, 280 with SHA-512


class NotABackup(Exception):
    """The path holds no base backup that can be read. One line, with what is missing."""


class NoBackupInTar(NotABackup):
    """A tar that was read to its end has nothing in it by which a backup is known."""


@dataclass(slots=True)
class Pieces:
    """The small files of a backup, read. A file that is not there is None."""

    label: bytes
    manifest: Kept | None = None
    manifest_error: str | None = None  # why it could not be read
    control: bytes | None = None
    control_error: str | None = tr("absent")  # used when `control` is None; None: not known
    version: bytes | None = None
    wal_files: Mapping[str, ArchivedFile] = field(default_factory=dict)
    wal_segment_size: int | None = None
    tablespace_map: bytes | None = None
    links: Sequence[BackupTablespace] = ()  # what pg_tblspc holds
    settings: Mapping[str, FileSetting] | None = None  # of its configuration files
    unread_settings: Sequence[UnreadSettings] = ()
    has_configuration: bool = True  # False: it was looked for, and there is no postgresql.conf
    signal_files: Iterable[str] = ()
    paths: Iterable[str] = ()  # of its files, where no manifest lists them
    unread: list[str] = field(default_factory=list)  # could not be looked at, each with the reason
    parsed_manifest: BackupManifest | None = None  # by `read_manifest`, once

    @property
    def major(self) -> int | None:
        """By PG_VERSION, as ValidatePgVersion in miscinit.c reads it; None where it does not."""
        match = _VERSION_NUMBER.match(self.version or b"")
        return int(match[1]) if match else None

    def take_settings(self, found: ConfigurationRead, *, complete: bool = True) -> None:
        """Where the files were not listed to the end, one that was not found may be there."""
        self.settings, self.unread_settings = found.settings, found.unread
        self.has_configuration = found.has_main or not complete

    def read(self, backup: AnyPath, name: str) -> bytes | None:
        """One small file; None for one that is not there, or that cannot be read."""
        try:
            return read_path(backup / name, _LIMIT_BYTES, within=backup)
        except OSError as error:
            if not is_proof(error):
                self.unread.append(noted(name, reason(error, backup / name)))
            return None


def read_file(backup: AnyPath, name: str) -> tuple[bytes | None, str | None]:
    """A small file's content, or why it cannot be read; neither for one that is not there."""
    path = backup / name
    try:
        return read_path(path, _LIMIT_BYTES, within=backup), None
    except OSError as error:
        return None, _why(error, path)


def keep_manifest(backup: AnyPath) -> tuple[Kept | None, str | None]:
    """The same of the manifest."""
    path = backup / MANIFEST
    try:
        with open_path(path, within=backup) as file:
            if file.seek(0, os.SEEK_END) > MANIFEST_BYTES:
                raise too_large(path, MANIFEST_BYTES)
            file.seek(0)
            return Kept(file.read), None
    except OSError as error:
        return None, _why(error, path)


def _why(error: OSError, path: AnyPath) -> str | None:
    if is_proof(error):
        return None
    return tr("cannot be read: {reason}", reason=reason(error, path))


def is_there(path: AnyPath) -> bool:
    """Tell whether there is a regular file. Lets the OSErrors through that leave it unknown."""
    mode = _mode(path)
    return mode is not None and stat.S_ISREG(mode)


def has_signal(path: AnyPath, name: str) -> bool:
    """Tell whether a server would find a signal file: it takes what is there, a pipe as well.

    Follows readRecoverySignalFile in xlogrecovery.c.
    """
    return _mode(path / name) is not None


def _mode(path: AnyPath) -> int | None:
    try:
        return look_at(path).st_mode
    except OSError as error:
        if is_proof(error):
            return None
        raise


def read_label(pieces: Pieces, url: str) -> BackupLabel:
    """Parse a backup_label. Raises NotABackup."""
    try:
        return parse_backup_label(pieces.label, major=pieces.major)
    except ParseError as error:
        raise NotABackup(
            tr(
                "{url}/backup_label: {error}: restore the file from another copy of this backup",
                url=url,
                error=error,
            )
        ) from None


def read_manifest(pieces: Pieces) -> tuple[BackupManifest | None, str | None]:
    """The manifest, or why there is none: "" for a backup that was made without."""
    if pieces.manifest is None:
        return None, pieces.manifest_error or ""
    try:
        if pieces.parsed_manifest is None:
            pieces.parsed_manifest = parse_manifest_blocks(pieces.manifest.blocks)
    except ParseError as error:
        return None, message_of(error)
    return pieces.parsed_manifest, None


def read_control(pieces: Pieces) -> tuple[ControlFile | None, str | None]:
    """The control file, or what is wrong with it; neither where that is not known."""
    if pieces.control is None:
        return None, pieces.control_error
    try:
        return parse_control_file(pieces.control), None
    except OtherRelease as error:
        pieces.unread.append(noted(CONTROL, error.message))
        return None, None
    except ParseError as error:
        return None, message_of(error)


def read_mapped(pieces: Pieces) -> tuple[tuple[Tablespace, ...], str | None]:
    """What tablespace_map says, and what is wrong with it."""
    try:
        major = pieces.major or _WITHOUT_VERSION
        return parse_tablespace_map(pieces.tablespace_map or b"", major=major), None
    except ParseError as error:
        return (), message_of(error)


def describe(
    url: str,
    pieces: Pieces,
    bad_files: Sequence[str] | None,
    depth: BackupDepth,
    pages: PagesFacts | None = None,
) -> BackupFacts:
    """Put together what a backup says. `bad_files` is None when its files were not looked at.

    At depth `label` a control file that was not come by is not called absent.
    """
    manifest, manifest_error = read_manifest(pieces)
    control, control_error = read_control(pieces)
    label = _in_segments(read_label(pieces, url), control)
    mapped, map_error = read_mapped(pieces)
    bad = [noted(CONTROL, control_error)] if control_error else []
    bad += [noted(TABLESPACE_MAP, map_error)] if map_error else []
    needs, major = _needs(manifest), pieces.major
    if pieces.version is not None and major is None:
        bad.append(noted(VERSION, tr("holds no number")))
    if major is not None and major > NEWEST_MAJOR:
        said = tr(
            "PostgreSQL {major}: newer than {newest}, the newest that this program knows",
            major=major,
            newest=NEWEST_MAJOR,
        )
        pieces.unread.append(noted(VERSION, said))
    counted = manifest is not None and bad_files is not None
    return BackupFacts(
        url=url,
        label=label,
        stop_lsn=needs[-1].end_lsn if needs else None,
        stop_timeline=needs[-1].timeline if needs else None,
        needs=needs,
        started_at=label_time(label.started_at_text),
        finished_at=None,
        system_identifier=_system_identifier(manifest, control, pieces.wal_files),
        major=major,
        segment_size_bytes=control.wal_segment_size if control else pieces.wal_segment_size,
        control=control,
        wal=frozenset(pieces.wal_files),
        wal_files=pieces.wal_files,
        bad_files=tuple(dict.fromkeys((*(bad_files or ()), *bad))),
        unread_files=tuple(dict.fromkeys(pieces.unread)),
        files_checked=len(manifest.files) if manifest is not None and counted else None,
        manifest_error=manifest_error,
        depth=_reached(depth, pages) if counted else "label",
        pages=pages,
        tablespaces=with_map(pieces.links, mapped),
        settings=None if pieces.settings is None else settings_of_files(pieces.settings, url),
        unread_settings=tuple(pieces.unread_settings),
        has_configuration=pieces.has_configuration,
        signal_files=frozenset(pieces.signal_files),
        unlogged=_list_unlogged(manifest, pieces),
        size_bytes=manifest.files.total_bytes if manifest and counted else None,
        identified_by=_identified_by(pieces),
    )


def _identified_by(pieces: Pieces) -> tuple[str, str] | None:
    if pieces.manifest is not None:
        return MANIFEST, pieces.manifest.sha256
    return (LABEL, hashlib.sha256(pieces.label).hexdigest()) if pieces.label else None


def _reached(depth: BackupDepth, pages: PagesFacts | None) -> BackupDepth:
    """How far the backup was looked at: pages that could not be judged were not."""
    return "checksums" if pages is not None and pages.unchecked else depth


def _list_unlogged(manifest: BackupManifest | None, pieces: Pieces) -> tuple[str, ...] | None:
    """The files of relations that restoring empties; None where the files were not listed."""
    paths = (file.path for file in manifest.files) if manifest else iter(pieces.paths)
    listed = manifest is not None or bool(pieces.paths)
    found = sorted(path.removesuffix("_init") for path in paths if _INIT_FORK.match(path))
    return tuple(found) if listed else None


def _needs(manifest: BackupManifest | None) -> tuple[WalNeed, ...]:
    """The WAL ranges of the manifest, oldest first."""
    return tuple(
        WalNeed(timeline=r.timeline, start_lsn=r.start_lsn, end_lsn=r.end_lsn)
        for r in reversed(manifest.wal_ranges if manifest else ())
    )


def _system_identifier(
    manifest: BackupManifest | None,
    control: ControlFile | None,
    wal: Mapping[str, ArchivedFile],
) -> int | None:
    if control is not None:
        return control.system_identifier
    said = manifest.system_identifier if manifest else None  # of 17 and later
    return said if said is not None else _system_of_wal(wal)


def _system_of_wal(wal: Mapping[str, ArchivedFile]) -> int | None:
    """Whose the WAL in the backup is, by the newest segment that can be read."""
    for name in sorted(wal, reverse=True):
        file = wal[name]
        try:
            header = parse_header(read_stored(file.directory, file.name, LONG_HEADER_BYTES).data)
        except OSError:
            continue
        if header is not None:
            return header.system_identifier
    return None


def _in_segments(label: BackupLabel, control: ControlFile | None) -> BackupLabel:
    """With the segment that holds where it begins; what the label calls it no server looks at."""
    if control is None:
        return label
    size = control.wal_segment_size
    name = segment_name(label.timeline, label.start_lsn // size, size)
    return replace(label, start_segment=name)


def label_from(control: ControlFile) -> bytes:
    """Write a backup_label that begins recovery where pg_control says that the server would.

    It is a standby's: pg_control's minimum recovery point counts, no end of a backup is awaited.
    """
    checkpoint = control.checkpoint
    size = control.wal_segment_size
    name = segment_name(checkpoint.timeline, checkpoint.redo_lsn // size, size)
    source = "primary" if control.backup_start_lsn else "standby"
    return (
        f"START WAL LOCATION: {format_lsn(checkpoint.redo_lsn)} (file {name})\n"
        f"CHECKPOINT LOCATION: {format_lsn(control.checkpoint_lsn)}\n"
        "BACKUP METHOD: streamed\n"
        f"BACKUP FROM: {source}\n"
        f"START TIMELINE: {checkpoint.timeline}\n"
    ).encode()
