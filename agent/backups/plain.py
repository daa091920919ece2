"""One plain base backup: its label, manifest, control file and own WAL."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from agent.archive.directory import NotAnArchive
from agent.archive.pg_wal import list_pg_wal
from agent.backups.describe import (
    CONTROL,
    LABEL,
    MANIFEST,
    VERSION,
    BackupDepth,
    NotABackup,
    Pieces,
    describe,
    label_from,
    read_file,
    read_manifest,
)
from agent.backups.files import find_bad_files
from agent.backups.settings import read_settings
from agent.backups.tablespaces import TABLESPACE_MAP, find_dangling, list_links
from parsers.errors import ParseError
from parsers.pg_control import ClusterState, ControlFile, parse_control_file
from rules.facts import BackupFacts, Unlabelled


def read_backup(path: Path, depth: BackupDepth) -> BackupFacts:
    """Read one plain backup. Raises NotABackup with the reason.

    Without a backup_label, pg_control says what the server would make of it.
    """
    label = _read_label(path)
    unlabelled = None
    if label is None:
        control = _control_without_label(path)
        label, unlabelled = (
            label_from(control),
            Unlabelled(
                started=(path / f"{LABEL}.old").exists(),
                cold=control.state is ClusterState.SHUT_DOWN,
            ),
        )
    pieces = _read_pieces(path, label)
    manifest, _ = read_manifest(pieces)
    bad = None
    if depth != "label":
        bad = find_bad_files(path, manifest, checksums=depth == "checksums") if manifest else []
        bad += find_dangling(path, pieces.links)
        bad = [each for each in bad if unlabelled is None or each != f"{LABEL} (absent)"]
    return replace(describe(str(path), pieces, bad, depth), unlabelled=unlabelled)


def read_data_directory(path: Path, label: bytes) -> BackupFacts:
    """Read a data directory under restore as the backup that it came from.

    `label` is its backup_label, which the server renames at its start, or what stands in for it.
    Raises NotABackup with the reason.
    """
    return describe(str(path), _read_pieces(path, label), None, "label")


def _read_pieces(path: Path, label: bytes) -> Pieces:
    pieces = Pieces(label=label)
    pieces.manifest, pieces.manifest_error = read_file(path / MANIFEST)
    pieces.control, error = read_file(path / CONTROL)
    pieces.control_error = error or pieces.control_error
    pieces.version, _ = read_file(path / VERSION)
    pieces.tablespace_map, _ = read_file(path / TABLESPACE_MAP)
    with suppress(OSError):
        pieces.links = list_links(path)
    with suppress(ParseError):
        pieces.settings = read_settings(path) or None
    if pieces.manifest is None:
        pieces.paths = [str(file.relative_to(path)) for file in path.glob("base/*/*")]
    try:
        wal = list_pg_wal(str(path / "pg_wal"))
    except NotAnArchive:
        return pieces
    pieces.wal_files, pieces.wal_segment_size = wal.segments, wal.segment_size_bytes
    return pieces


def _read_label(path: Path) -> bytes | None:
    label, error = read_file(path / LABEL)
    if error:
        raise NotABackup(f"{path}/{LABEL}: {error}")
    if label is None and not path.exists():
        raise NotABackup(f"{path}: there is no such directory")
    return label


def _control_without_label(path: Path) -> ControlFile:
    """The control file of a data directory that has no label. Raises NotABackup."""
    what = f"{path}: no {LABEL}"
    if (path / "postmaster.pid").exists():
        raise NotABackup(f"{what}, and a postmaster.pid: it is a server's own data directory")
    data, error = read_file(path / CONTROL)
    if data is None:
        raise NotABackup(f"{what}, and {CONTROL} {error or 'is absent'}: it is no base backup")
    try:
        return parse_control_file(data)
    except ParseError as wrong:
        raise NotABackup(f"{what}, and {CONTROL}: {wrong}") from None
