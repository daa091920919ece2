"""A backup's files against its manifest: there, of the right size, with the right checksum.

Follows pg_verifybackup (src/bin/pg_verifybackup). pg_wal and the manifest itself are not listed in
a manifest; files that it does not list are no concern of this check.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import google_crc32c

from parsers.backup_manifest import BackupManifest, ManifestFile

_CHUNK_BYTES: Final = 1 << 20


def find_bad_files(backup: Path, manifest: BackupManifest, *, checksums: bool) -> list[str]:
    """Name each file that is not as the manifest says, with the reason."""
    bad: list[str] = []
    for file in manifest.files:
        reason = _look(backup / file.path, file, checksums)
        if reason:
            bad.append(f"{file.path} ({reason})")
    return bad


def _look(path: Path, file: ManifestFile, checksums: bool) -> str | None:
    try:
        size_bytes = path.stat().st_size
        if size_bytes != file.size_bytes:
            return f"{size_bytes} bytes instead of {file.size_bytes}"
        if checksums and file.checksum_algorithm and _checksum(path, file) != file.checksum:
            return f"{file.checksum_algorithm} differs"
    except (FileNotFoundError, NotADirectoryError):
        return "absent"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return None


def _checksum(path: Path, file: ManifestFile) -> str:
    """In the manifest's notation: CRC-32C is in the order of a little-endian server's memory."""
    if file.checksum_algorithm != "CRC32C":
        digest = hashlib.new(str(file.checksum_algorithm).lower())
        for chunk in _chunks(path):
            digest.update(chunk)
        return digest.hexdigest()
    value = 0
    for chunk in _chunks(path):
        value = google_crc32c.extend(value, chunk)
    return int(value).to_bytes(4, "little").hex()


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            yield chunk
