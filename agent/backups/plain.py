"""One plain base backup: its label, manifest, control file and own WAL."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Literal

from agent.backups.files import find_bad_files
from parsers.backup_label import BackupLabel, parse_backup_label
from parsers.backup_manifest import BackupManifest, parse_backup_manifest
from parsers.errors import ParseError
from parsers.pg_control import ControlFile, parse_control_file
from parsers.segment import NameKind, is_segment_size, parse_wal_name
from rules.backups import label_time
from rules.facts import BackupFacts, WalNeed

LABEL: Final = "backup_label"
MANIFEST: Final = "backup_manifest"
CONTROL: Final = "global/pg_control"

BackupDepth = Literal["label", "files", "checksums"]


class NotABackup(Exception):
    """The path holds no base backup that can be read. One line, with what is missing."""


def read_backup(path: Path, depth: BackupDepth) -> BackupFacts:
    """Read one plain backup. Raises NotABackup with the reason."""
    label = _read_label(path)
    manifest, manifest_error = _read_manifest(path)
    control, control_error = _read_control(path)
    wal, wal_segment_size = _own_wal(path)
    bad = [f"{CONTROL} ({control_error})"] if control_error else []
    checked = manifest is not None and depth != "label"
    if manifest is not None and checked:
        bad += find_bad_files(path, manifest, checksums=depth == "checksums")
    needs = _needs(manifest)
    return BackupFacts(
        url=str(path),
        label=label,
        stop_lsn=needs[-1].end_lsn if needs else None,
        stop_timeline=needs[-1].timeline if needs else None,
        needs=needs,
        started_at=label_time(label.started_at_text),
        finished_at=None,
        system_identifier=_system_identifier(manifest, control),
        major=_major(path),
        segment_size_bytes=control.wal_segment_size if control else wal_segment_size,
        control=control,
        wal=wal,
        bad_files=tuple(bad),
        files_checked=len(manifest.files) if manifest is not None and checked else None,
        manifest_error=manifest_error,
        depth=depth if checked else "label",
    )


def _read_label(path: Path) -> BackupLabel:
    try:
        return parse_backup_label((path / LABEL).read_bytes())
    except NotADirectoryError:
        raise NotABackup(f"{path}: not a directory: plain backups are read so far") from None
    except FileNotFoundError:
        if not path.exists():
            raise NotABackup(f"{path}: there is no such directory") from None
        raise NotABackup(
            f"{path}: no {LABEL}: it was started once, or copied without it; a restore would "
            "take it for a crashed server"
        ) from None
    except OSError as error:
        raise NotABackup(f"{path}/{LABEL}: cannot be read: {error.strerror}") from None
    except ParseError as error:
        raise NotABackup(
            f"{path}/{LABEL}: {error}: restore the file from another copy of this backup"
        ) from None


def _read_manifest(path: Path) -> tuple[BackupManifest | None, str | None]:
    """The manifest, or why there is none: "" for a backup that was made without."""
    try:
        return parse_backup_manifest((path / MANIFEST).read_bytes()), None
    except FileNotFoundError:
        return None, ""
    except OSError as error:
        return None, f"cannot be read: {error.strerror}"
    except ParseError as error:
        return None, str(error)


def _read_control(path: Path) -> tuple[ControlFile | None, str | None]:
    try:
        return parse_control_file((path / CONTROL).read_bytes()), None
    except FileNotFoundError:
        return None, "absent"
    except OSError as error:
        return None, f"cannot be read: {error.strerror}"
    except ParseError as error:
        return None, str(error)


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


def _own_wal(path: Path) -> tuple[frozenset[str], int | None]:
    """Complete segments in the backup's own pg_wal, and their size in bytes."""
    sizes: dict[str, int] = {}
    try:
        with os.scandir(path / "pg_wal") as entries:
            for entry in entries:
                parsed = parse_wal_name(entry.name)
                if parsed and parsed.kind is NameKind.SEGMENT and not parsed.compression:
                    sizes[entry.name] = entry.stat().st_size
    except OSError:
        return frozenset(), None
    legal = {size for size in sizes.values() if is_segment_size(size)}
    size = legal.pop() if len(legal) == 1 else None
    return frozenset(name for name in sizes if sizes[name] == size), size


def _major(path: Path) -> int | None:
    try:
        return int((path / "PG_VERSION").read_text().strip())
    except (OSError, ValueError):
        return None
