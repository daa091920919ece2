"""`backup_manifest`: the files of a base backup and the WAL it needs, as the server listed them.

Follows src/common/parse_manifest.c and the chapter "Backup Manifest Format" of the manual: version
1 (13 to 16) and 2 (17 and later, with the system identifier). The manifest's own SHA-256 is
verified; the files' checksums are only handed on.

A backup may have millions of files: the manifest's own bytes are kept, and each file is read out of
them whenever it is asked for.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from parsers.errors import ParseError
from parsers.lsn import parse_lsn
from parsers.sentences import tr

_NEWEST_VERSION: Final = 2
_INCREMENTAL: Final = "INCREMENTAL."
_CHECKSUM_LINE: Final = re.compile(rb'"Manifest-Checksum": "([0-9a-f]{64})"\}\n\Z')
# A manifest has one a file: strptime would take longer than all the rest.
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT\Z")


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


class ManifestFiles:
    """The files of a manifest, in its order. Whoever goes through them has one in memory."""

    __slots__ = ("_count", "_source")

    def __init__(self, source: memoryview) -> None:
        """`source` is a JSON array. Raises ParseError."""
        self._source = source
        self._count = sum(1 for _ in self)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[ManifestFile]:
        return map(_file, _elements(self._source))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ManifestFiles) and self._source == other._source

    def __hash__(self) -> int:
        return hash(self._source)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupManifest:
    """What a base backup consists of."""

    version: int
    system_identifier: int | None  # None in version 1
    files: ManifestFiles
    wal_ranges: tuple[WalRange, ...]  # in the file's order: the newest timeline first

    @property
    def is_incremental(self) -> bool:
        """True when the backup needs the ones before it in its chain."""
        return any(file.is_incremental for file in self.files)


def parse_backup_manifest(data: bytes) -> BackupManifest:
    """Read a manifest. Raises ParseError for a broken one, its own checksum included."""
    _verify_checksum(data)
    parts = _parts(data)
    files = parts.pop("Files", None)
    top = {key: _value(part) for key, part in parts.items()}
    version = _integer(top, "PostgreSQL-Backup-Manifest-Version")
    if version > _NEWEST_VERSION:
        raise ParseError(
            tr(
                "manifest version {version}: of a PostgreSQL newer than this program knows",
                version=version,
            )
        )
    if version < 1:
        raise ParseError(tr("unexpected manifest version {version}", version=version))
    if files is None or bytes(files[:1]) != b"[":
        raise ParseError(tr("expected a list under 'Files'"))
    identifier = _integer(top, "System-Identifier") if version >= 2 else None
    return BackupManifest(
        version=version,
        system_identifier=identifier,
        files=ManifestFiles(files),
        wal_ranges=tuple(_wal_range(entry) for entry in _list(top, "WAL-Ranges")),
    )


def _verify_checksum(data: bytes) -> None:
    """verify_manifest_checksum: the last line holds the SHA-256 of all before it."""
    line_start = data.rfind(b"\n", 0, max(len(data) - 1, 0)) + 1
    match = _CHECKSUM_LINE.match(data[line_start:])
    if line_start == 0 or match is None:
        raise ParseError(tr("manifest does not end in a line with its checksum: cut short?"))
    if hashlib.sha256(memoryview(data)[:line_start]).hexdigest().encode() != match[1]:
        raise ParseError(tr("manifest checksum mismatch: the manifest was changed or damaged"))


def _parts(data: bytes) -> dict[str, memoryview]:
    """The JSON under each key, as it stands there."""
    import msgspec

    try:
        parts = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ParseError(tr("manifest is not JSON: {error}", error=error)) from None
    return {key: memoryview(part) for key, part in parts.items()}


def _value(part: memoryview) -> object:
    try:
        return json.loads(bytes(part))
    except (ValueError, RecursionError) as error:
        raise ParseError(tr("manifest is not JSON: {error}", error=error)) from None


_BLOCK_BYTES: Final = 1 << 16
_BETWEEN: Final = re.compile(r"[\s,]*")


def _elements(source: memoryview) -> Iterator[object]:
    """The elements of a JSON array that is well-formed. Raises ParseError.

    It is read in blocks that end with a line, as no string holds the end of one.
    """
    decode, at, end, size, rest = (
        json.JSONDecoder().raw_decode,
        1,
        len(source) - 1,
        _BLOCK_BYTES,
        "",
    )
    while at < end:
        block = bytes(source[at : min(at + size, end)])
        whole = len(block) if at + size >= end else block.rfind(b"\n") + 1
        try:
            text = rest + block[:whole].decode()
        except UnicodeDecodeError:
            raise ParseError(tr("manifest is not UTF-8")) from None
        at, position = at + whole, _start(text, 0)
        while position < len(text):
            try:
                value, after = decode(text, position)
            except (ValueError, RecursionError) as error:
                if at >= end or isinstance(error, RecursionError):
                    raise ParseError(tr("manifest is not JSON: {error}", error=error)) from None
                break
            yield value
            position = _start(text, after)
        rest = text[position:]
        size = 2 * size if rest or not whole else _BLOCK_BYTES  # a long line, or many of one file


def _start(text: str, after: int) -> int:
    between = _BETWEEN.match(text, after)
    assert between is not None, "it matches nothing as well"
    return between.end()


def _file(entry: object) -> ManifestFile:
    fields = _object(entry, tr("expected an object for a file"))
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
        raise ParseError(tr("an Encoded-Path is not hexadecimal")) from None


def _wal_range(entry: object) -> WalRange:
    fields = _object(entry, tr("expected an object for a WAL range"))
    return WalRange(
        timeline=_integer(fields, "Timeline"),
        start_lsn=_lsn(fields, "Start-LSN"),
        end_lsn=_lsn(fields, "End-LSN"),
    )


def _lsn(fields: dict[str, Any], key: str) -> int:
    text = _text(fields, key)
    try:
        return parse_lsn(text)
    except ParseError:
        raise ParseError(tr("{key!r} is not an LSN, as 0/3000028", key=key)) from None


def _time(value: object) -> datetime | None:
    """The server always writes GMT; the field says nothing that recovery needs."""
    text = str(value)
    if _TIME.match(text) is None:
        return None
    try:
        return datetime.fromisoformat(f"{text[:19]}+00:00")
    except ValueError:
        return None


def _object(value: object, expected: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ParseError(
            tr("{expected}, found {kind}", expected=expected, kind=type(value).__name__)
        )
    return value


def _list(fields: dict[str, Any], key: str) -> list[Any]:
    value = fields.get(key)
    if not isinstance(value, list):
        raise ParseError(tr("expected a list under {key!r}", key=key))
    return value


def _text(fields: dict[str, Any], key: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str):
        raise ParseError(tr("expected a string under {key!r}", key=key))
    return value


def _integer(fields: dict[str, Any], key: str) -> int:
    value = fields.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ParseError(tr("expected a whole number under {key!r}", key=key))
    return value
