"""A backup's files against its manifest: there, of the right size, with the right checksum.

Follows pg_verifybackup (src/bin/pg_verifybackup). pg_wal and the manifest itself are not listed in
a manifest; files that it does not list are no concern of this check.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import google_crc32c

from parsers.backup_manifest import BackupManifest, ManifestFile

_CHUNK_BYTES: Final = 1 << 20


def find_bad_files(backup: Path, manifest: BackupManifest, *, checksums: bool) -> list[str]:
    """Name each file of a plain backup that is not as the manifest says, with the reason."""
    bad: list[str] = []
    for file in manifest.files:
        reason = _look(backup / file.path, file, checksums)
        if reason:
            bad.append(f"{file.path} ({reason})")
    return bad


def _look(path: Path, file: ManifestFile, checksums: bool) -> str | None:
    try:
        wrong = wrong_size(path.stat().st_size, file)
        if wrong or not (checksums and file.checksum_algorithm):
            return wrong
        with path.open("rb") as stream:
            return wrong_checksum(checksum(chunks(stream.read), file), file)
    except (FileNotFoundError, NotADirectoryError):
        return "absent"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def wrong_size(size_bytes: int, file: ManifestFile) -> str | None:
    """Why a size is not the manifest's; None when it is."""
    return (
        None
        if size_bytes == file.size_bytes
        else f"{size_bytes} bytes instead of {file.size_bytes}"
    )


def wrong_checksum(found: str, file: ManifestFile) -> str | None:
    """Why a checksum is not the manifest's; None when it is."""
    return None if found == file.checksum else f"{file.checksum_algorithm} differs"


def checksum(content: Iterable[bytes], file: ManifestFile) -> str:
    """In the manifest's notation: CRC-32C is in the order of a little-endian server's memory."""
    if file.checksum_algorithm != "CRC32C":
        digest = hashlib.new(str(file.checksum_algorithm).lower())
        for chunk in content:
            digest.update(chunk)
        return digest.hexdigest()
    value = 0
    for chunk in content:
        value = google_crc32c.extend(value, chunk)
    return int(value).to_bytes(4, "little").hex()


def chunks(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """A stream's content, piece by piece."""
    while chunk := read(_CHUNK_BYTES):
        yield chunk
