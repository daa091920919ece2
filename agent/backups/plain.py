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
from agent.backups.settings import read_settings
from parsers.errors import ParseError
from rules.facts import BackupFacts


def read_backup(path: Path, depth: BackupDepth) -> BackupFacts:
    """Read one plain backup. Raises NotABackup with the reason."""
    pieces = _read_pieces(path)
    manifest, _ = read_manifest(pieces)
    bad = None
    if depth != "label":
        bad = find_bad_files(path, manifest, checksums=depth == "checksums") if manifest else []
    return describe(str(path), pieces, bad, depth)


def _read_pieces(path: Path) -> Pieces:
    pieces = Pieces(label=_read_label(path))
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
