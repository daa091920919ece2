"""From a base backup's own files, however they are stored, to what they say together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from agent.backups.tablespaces import TABLESPACE_MAP, read_map, with_map
from parsers.backup_label import BackupLabel, parse_backup_label
from parsers.backup_manifest import BackupManifest, parse_backup_manifest
from parsers.errors import ParseError
from parsers.lsn import format_lsn
from parsers.pg_control import ControlFile, parse_control_file
from parsers.segment import segment_name
from parsers.server_conf import Setting
from parsers.tablespace_map import Tablespace
from rules.backups import label_time
from rules.configuration import settings_of_files
from rules.facts import ArchivedFile, BackupFacts, BackupTablespace, WalNeed

LABEL: Final = "backup_label"
MANIFEST: Final = "backup_manifest"
CONTROL: Final = "global/pg_control"
VERSION: Final = "PG_VERSION"
# An unlogged relation is its init fork alone: reinit.c.
_INIT_FORK: Final = re.compile(r"(base/\d+|pg_tblspc/\d+/[^/]+/\d+)/\d+_init\Z")

BackupDepth = Literal["label", "files", "checksums"]


class NotABackup(Exception):
    """The path holds no base backup that can be read. One line, with what is missing."""


@dataclass(slots=True)
class Pieces:
    """The small files of a backup, read. A file that is not there is None."""

    label: bytes
    manifest: bytes | None = None
    manifest_error: str | None = None  # why it could not be read
    control: bytes | None = None
    control_error: str = "absent"  # used when `control` is None
    version: bytes | None = None
    wal_files: Mapping[str, ArchivedFile] = field(default_factory=dict)
    wal_segment_size: int | None = None
    tablespace_map: bytes | None = None
    links: Sequence[BackupTablespace] = ()  # what pg_tblspc holds
    settings: Mapping[str, Setting] | None = None  # of its configuration files
    paths: Iterable[str] = ()  # of its files, where no manifest lists them


def read_file(path: Path) -> tuple[bytes | None, str | None]:
    """A small file's content, or why it cannot be read; neither for one that is not there."""
    try:
        return path.read_bytes(), None
    except FileNotFoundError:
        return None, None
    except OSError as error:
        return None, f"cannot be read: {error.strerror}"


def read_label(data: bytes, url: str) -> BackupLabel:
    """Parse a backup_label. Raises NotABackup."""
    try:
        return parse_backup_label(data)
    except ParseError as error:
        raise NotABackup(
            f"{url}/{LABEL}: {error}: restore the file from another copy of this backup"
        ) from None


def read_manifest(pieces: Pieces) -> tuple[BackupManifest | None, str | None]:
    """The manifest, or why there is none: "" for a backup that was made without."""
    if pieces.manifest is None:
        return None, pieces.manifest_error or ""
    try:
        return parse_backup_manifest(pieces.manifest), None
    except ParseError as error:
        return None, str(error)


def read_control(pieces: Pieces) -> tuple[ControlFile | None, str | None]:
    """The control file, or why it cannot be used."""
    if pieces.control is None:
        return None, pieces.control_error
    try:
        return parse_control_file(pieces.control), None
    except ParseError as error:
        return None, str(error)


def read_mapped(pieces: Pieces) -> tuple[tuple[Tablespace, ...], str | None]:
    """What tablespace_map says, and what is wrong with it."""
    try:
        return read_map(pieces.tablespace_map or b"", pieces.version), None
    except ParseError as error:
        return (), str(error)


def describe(
    url: str,
    pieces: Pieces,
    bad_files: Sequence[str] | None,
    depth: BackupDepth,
) -> BackupFacts:
    """Put together what a backup says. `bad_files` is None when its files were not looked at.

    At depth `label` a control file that was not come by is not called absent.
    """
    label = read_label(pieces.label, url)
    manifest, manifest_error = read_manifest(pieces)
    control, control_error = read_control(pieces)
    mapped, map_error = read_mapped(pieces)
    bad = [f"{CONTROL} ({control_error})"] if control_error else []
    bad += [f"{TABLESPACE_MAP} ({map_error})"] if map_error else []
    needs = _needs(manifest)
    counted = manifest is not None and bad_files is not None
    return BackupFacts(
        url=url,
        label=label,
        stop_lsn=needs[-1].end_lsn if needs else None,
        stop_timeline=needs[-1].timeline if needs else None,
        needs=needs,
        started_at=label_time(label.started_at_text),
        finished_at=None,
        system_identifier=_system_identifier(manifest, control),
        major=_major(pieces.version),
        segment_size_bytes=control.wal_segment_size if control else pieces.wal_segment_size,
        control=control,
        wal=frozenset(pieces.wal_files),
        wal_files=pieces.wal_files,
        bad_files=tuple(dict.fromkeys((*(bad_files or ()), *bad))),
        files_checked=len(manifest.files) if manifest is not None and counted else None,
        manifest_error=manifest_error,
        depth=depth if counted else "label",
        tablespaces=with_map(pieces.links, mapped),
        settings=None if pieces.settings is None else settings_of_files(pieces.settings, url),
        unlogged_count=_count_unlogged(manifest, pieces),
    )


def _count_unlogged(manifest: BackupManifest | None, pieces: Pieces) -> int | None:
    """How many relations restoring empties; None where the files were not listed."""
    paths = (file.path for file in manifest.files) if manifest else iter(pieces.paths)
    listed = manifest is not None or bool(pieces.paths)
    return sum(1 for path in paths if _INIT_FORK.match(path)) if listed else None


def _needs(manifest: BackupManifest | None) -> tuple[WalNeed, ...]:
    """The WAL ranges of the manifest, oldest first."""
    return tuple(
        WalNeed(timeline=r.timeline, start_lsn=r.start_lsn, end_lsn=r.end_lsn)
        for r in reversed(manifest.wal_ranges if manifest else ())
    )


def _system_identifier(manifest: BackupManifest | None, control: ControlFile | None) -> int | None:
    if control is not None:
        return control.system_identifier
    return manifest.system_identifier if manifest else None


def _major(version: bytes | None) -> int | None:
    try:
        return int(version.strip()) if version is not None else None
    except ValueError:
        return None


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
