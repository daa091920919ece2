"""One plain base backup: its label, manifest, control file and own WAL."""

from __future__ import annotations

from contextlib import suppress
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
    read_file,
    read_manifest,
)
from agent.backups.files import find_bad_files
from agent.backups.settings import read_settings
from agent.backups.tablespaces import TABLESPACE_MAP, find_dangling, list_links
from parsers.errors import ParseError
from rules.facts import BackupFacts


def read_backup(path: Path, depth: BackupDepth) -> BackupFacts:
    """Read one plain backup. Raises NotABackup with the reason."""
    pieces = _read_pieces(path)
    manifest, _ = read_manifest(pieces)
    bad = None
    if depth != "label":
        bad = find_bad_files(path, manifest, checksums=depth == "checksums") if manifest else []
        bad += find_dangling(path, pieces.links)
    return describe(str(path), pieces, bad, depth)


def read_data_directory(path: Path, label: bytes) -> BackupFacts:
    """Read a data directory under restore as the backup that it came from.

    `label` is its backup_label, which the server renames at its start, or what stands in for it.
    Raises NotABackup with the reason.
    """
    return describe(str(path), _read_pieces(path, label), None, "label")


def _read_pieces(path: Path, label: bytes | None = None) -> Pieces:
    pieces = Pieces(label=_read_label(path) if label is None else label)
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


def _read_label(path: Path) -> bytes:
    try:
        return (path / LABEL).read_bytes()
    except FileNotFoundError:
        if not path.exists():
            raise NotABackup(f"{path}: there is no such directory") from None
        raise NotABackup(
            f"{path}: no {LABEL}: it was started once, or copied without it; a restore would "
            "take it for a crashed server"
        ) from None
    except OSError as error:
        raise NotABackup(f"{path}/{LABEL}: cannot be read: {error.strerror}") from None
