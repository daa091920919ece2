"""`backup_manifest`: the files of a base backup and the WAL it needs, as the server listed them.

Follows src/common/parse_manifest.c and the chapter "Backup Manifest Format" of the manual: version
1 (13 to 16) and 2 (17 and later, with the system identifier). The manifest's own SHA-256 is
verified; the files' checksums are only handed on.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from parsers.errors import ParseError
from parsers.lsn import parse_lsn

_INCREMENTAL: Final = "INCREMENTAL."
_CHECKSUM_LINE: Final = re.compile(rb'"Manifest-Checksum": "([0-9a-f]{64})"\}\n\Z')


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestFile:
    """One file of the backup."""

    path: str  # relative to the backup; bytes that are no UTF-8 as surrogate escapes
    size_bytes: int
    modified_at: datetime | None  # None where the manifest does not say it in GMT
    checksum_algorithm: str | None  # CRC32C, SHA224, SHA256, SHA384, SHA512; None: no checksum
    checksum: str | None  # hex of the bytes as the server's memory had them

    @property
    def is_incremental(self) -> bool:
        """True for blocks that changed since an earlier backup: not usable alone (17 and later)."""
        return self.path.rpartition("/")[2].startswith(_INCREMENTAL)

    @property
    def full_path(self) -> str:
        """The path that the file has once the chain of incremental backups is combined."""
        if not self.is_incremental:
            return self.path
        directory, _, name = self.path.rpartition(_INCREMENTAL)
        return directory + name


@dataclass(frozen=True, slots=True, kw_only=True)
class WalRange:
    """WAL that recovery needs to make the backup consistent."""

    timeline: int
    start_lsn: int
    end_lsn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupManifest:
    """What a base backup consists of."""

    version: int
    system_identifier: int | None  # None in version 1
    files: tuple[ManifestFile, ...]
    wal_ranges: tuple[WalRange, ...]  # in the file's order: the newest timeline first

    @property
    def is_incremental(self) -> bool:
        """True when the backup needs the ones before it in its chain."""
        return any(file.is_incremental for file in self.files)


def parse_backup_manifest(data: bytes) -> BackupManifest:
    """Read a manifest. Raises ParseError for a broken one, its own checksum included."""
    _verify_checksum(data)
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ParseError(f"manifest is not JSON: {error}") from None
    top = _object(document, "manifest")
    version = _integer(top, "PostgreSQL-Backup-Manifest-Version")
    if version not in (1, 2):
        raise ParseError(f"unexpected manifest version {version}")
    identifier = _integer(top, "System-Identifier") if version >= 2 else None
    return BackupManifest(
        version=version,
        system_identifier=identifier,
        files=tuple(_file(entry) for entry in _list(top, "Files")),
        wal_ranges=tuple(_wal_range(entry) for entry in _list(top, "WAL-Ranges")),
    )


def _verify_checksum(data: bytes) -> None:
    """verify_manifest_checksum: the last line holds the SHA-256 of all before it."""
    line_start = data.rfind(b"\n", 0, max(len(data) - 1, 0)) + 1
    match = _CHECKSUM_LINE.match(data[line_start:])
    if line_start == 0 or match is None:
        raise ParseError("manifest does not end in a line with its checksum: cut short?")
    if hashlib.sha256(data[:line_start]).hexdigest().encode() != match[1]:
        raise ParseError("manifest checksum mismatch: the manifest was changed or damaged")


def _file(entry: object) -> ManifestFile:
    fields = _object(entry, "file")
    if "Path" in fields:
        path = _text(fields, "Path")
    else:
        path = _decode_path(_text(fields, "Encoded-Path"))
    algorithm = _text(fields, "Checksum-Algorithm") if "Checksum-Algorithm" in fields else None
    return ManifestFile(
        path=path,
        size_bytes=_integer(fields, "Size"),
        modified_at=_time(fields.get("Last-Modified")),
        checksum_algorithm=algorithm,
        checksum=_text(fields, "Checksum") if algorithm else None,
    )


def _decode_path(encoded: str) -> str:
    try:
        return bytes.fromhex(encoded).decode("utf-8", "surrogateescape")
    except ValueError:
        raise ParseError(f"Encoded-Path {encoded!r} is not hexadecimal") from None


def _wal_range(entry: object) -> WalRange:
    fields = _object(entry, "WAL range")
    return WalRange(
        timeline=_integer(fields, "Timeline"),
        start_lsn=parse_lsn(_text(fields, "Start-LSN")),
        end_lsn=parse_lsn(_text(fields, "End-LSN")),
    )


def _time(value: object) -> datetime | None:
    """The server always writes GMT; the field says nothing that recovery needs."""
    try:
        at = datetime.strptime(str(value), "%Y-%m-%d %H:%M:%S GMT")
    except ValueError:
        return None
    return at.replace(tzinfo=UTC)


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ParseError(f"expected an object for a {what}, found {type(value).__name__}")
    return value


def _list(fields: dict[str, Any], key: str) -> list[Any]:
    value = fields.get(key)
    if not isinstance(value, list):
        raise ParseError(f"expected a list under {key!r}")
    return value


def _text(fields: dict[str, Any], key: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str):
        raise ParseError(f"expected a string under {key!r}")
    return value


def _integer(fields: dict[str, Any], key: str) -> int:
    value = fields.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ParseError(f"expected a whole number under {key!r}")
    return value
