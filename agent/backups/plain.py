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
    read_manifest,
)
from agent.backups.files import find_bad_files
from rules.facts import BackupFacts


def read_backup(path: Path, depth: BackupDepth) -> BackupFacts:
    """Read one plain backup. Raises NotABackup with the reason."""
    pieces = _read_pieces(path)
    manifest, _ = read_manifest(pieces)
    bad = None
    if depth != "label":
        bad = find_bad_files(path, manifest, checksums=depth == "checksums") if manifest else []
    return describe(str(path), pieces, bad, depth)


def read_data_directory(path: Path, label: bytes) -> BackupFacts:
    """Read a data directory under restore as the backup that it came from.

    `label` is its backup_label, which the server renames at its start, or what stands in for it.
    Raises NotABackup with the reason.
    """
    return describe(str(path), _read_pieces(path, label), None, "label")


def _read_pieces(path: Path, label: bytes | None = None) -> Pieces:
    pieces = Pieces(label=_read_label(path) if label is None else label)
    try:
        pieces.manifest = (path / MANIFEST).read_bytes()
    except FileNotFoundError:
        pass
    except OSError as error:
        pieces.manifest_error = f"cannot be read: {error.strerror}"
    try:
        pieces.control = (path / CONTROL).read_bytes()
    except FileNotFoundError:
        pass
    except OSError as error:
        pieces.control_error = f"cannot be read: {error.strerror}"
    with suppress(OSError):
        pieces.version = (path / VERSION).read_bytes()
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
