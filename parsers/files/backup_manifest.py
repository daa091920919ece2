"""`backup_manifest`: the files of a base backup and the WAL it needs, as the server listed them.

Follows src/common/parse_manifest.c and the chapter "Backup Manifest Format" of the manual: version
1 (13 to 16) and 2 (17 and later, with the system identifier). The manifest's own SHA-256 is
verified; the files' checksums are only handed on.

A backup may have millions of files: the manifest comes in blocks, and each file is read out of them
whenever it is asked for. Those of a small one are kept.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from parsers.errors import ParseError
from parsers.lsn import parse_lsn
from parsers.sentences import tr
from parsers.values import dataclass

_NEWEST_VERSION: Final = 2
_INCREMENTAL: Final = "INCREMENTAL."
_FILES: Final = "Files"
_FEW: Final = 2_000  # files that are kept
_LONGEST: Final = 1 << 22  # characters of one value: the WAL of thousands of timelines
_BLOCK_BYTES: Final = 1 << 16
_LINE_BYTES: Final = 128  # the last line is shorter
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_BETWEEN_FILES: Final = re.compile(r"[ \t\r\n]*,[ \t\r\n]*(?=\{)")
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


Blocks = Callable[[], Iterable[bytes]]  # the manifest from its beginning, whenever it is called


class ManifestFiles:
    """The files of a manifest, in its order. Whoever goes through them has one in memory."""

    __slots__ = ("_blocks", "_count", "_kept", "total_bytes")

    def __init__(
        self, blocks: Blocks, count: int, total_bytes: int, kept: Sequence[ManifestFile]
    ) -> None:
        self._blocks, self._count, self.total_bytes = blocks, count, total_bytes
        self._kept = kept if len(kept) == count else None

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[ManifestFile]:
        if self._kept is not None:
            return iter(self._kept)
        return (_file(entry) for key, entry in _walk(self._blocks()) if key is None)


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
    return parse_manifest_blocks(
        lambda: (data[at : at + _BLOCK_BYTES] for at in range(0, len(data), _BLOCK_BYTES))
    )


def parse_manifest_blocks(blocks: Blocks) -> BackupManifest:
    """The same of one that comes in blocks of any size, the same ones each time."""
    checked = _Checked(blocks())
    top: dict[str, object] = {}
    kept: list[ManifestFile] = []
    count = total_bytes = 0
    try:
        for key, value in _walk(checked):
            if key is None:
                file = _file(value)
                count, total_bytes = count + 1, total_bytes + file.size_bytes
                if count <= _FEW:
                    kept.append(file)
            else:
                top[key] = value
    except ParseError:
        checked.verify()  # of a damaged one it says so
        raise
    checked.verify()
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
    identifier = _integer(top, "System-Identifier") if version >= 2 else None
    return BackupManifest(
        version=version,
        system_identifier=identifier,
        files=ManifestFiles(blocks, count, total_bytes, kept),
        wal_ranges=tuple(_wal_range(entry) for entry in _list(top, "WAL-Ranges")),
    )


class _Checked:
    """Blocks on their way, and verify_manifest_checksum: the last line has the SHA-256 of the rest.

    What may be the last line is held back.
    """

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._digest = hashlib.sha256()
        self._tail = b""

    def __iter__(self) -> Iterator[bytes]:
        for block in self._blocks:
            tail = self._tail + block
            self._digest.update(memoryview(tail)[:-_LINE_BYTES])
            self._tail = tail[-_LINE_BYTES:]
            yield block

    def verify(self) -> None:
        for _ in self:
            pass  # what is left
        start = self._tail.rfind(b"\n", 0, max(len(self._tail) - 1, 0)) + 1
        match = _CHECKSUM_LINE.match(self._tail, start)
        if start == 0 or match is None:
            raise ParseError(tr("manifest does not end in a line with its checksum: cut short?"))
        self._digest.update(self._tail[:start])
        if self._digest.hexdigest().encode() != match[1]:
            raise ParseError(tr("manifest checksum mismatch: the manifest was changed or damaged"))


def _walk(blocks: Iterable[bytes]) -> Iterator[tuple[str | None, object]]:
    """(None, entry) of each file, and (key, value) of what else stands at the top.

    Raises ParseError.
    """
    text = _Text(blocks)
    seen: set[str] = set()
    text.take("{")
    while text.next() != "}":
        key = text.value()
        text.take(":")
        if not isinstance(key, str) or key in seen:
            raise ParseError(tr("manifest is not JSON: {error}", error=repr(key)))
        seen.add(key)
        if key == _FILES and text.next() == "[":
            yield from ((None, entry) for entry in text.elements())
        elif key == _FILES:
            raise ParseError(tr("expected a list under 'Files'"))
        else:
            yield key, text.value()
        if text.next() != "}":
            text.take(",")
    text.take("}")
    if text.next():
        raise ParseError(tr("manifest is not JSON: {error}", error=repr(text.next())))
    if _FILES not in seen:
        raise ParseError(tr("expected a list under 'Files'"))


class _Text:
    """JSON that comes in blocks, taken value by value. Raises ParseError."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._bytes = codecs.getincrementaldecoder("utf-8")()
        self._text, self._at, self._ended = "", 0, False
        self._decode = json.JSONDecoder().raw_decode

    def _fill(self) -> bool:
        """Have twice as much of what is not taken yet; False at the end."""
        parts = [self._text[self._at :]]
        left = max(len(parts[0]), 1)
        if left > _LONGEST:
            raise ParseError(tr("manifest is not JSON: {error}", error=tr("a value without end")))
        try:
            while left > 0 and not self._ended:
                block = next(self._blocks, b"")
                self._ended = not block
                parts.append(self._bytes.decode(block, self._ended))
                left -= len(block)
        except UnicodeDecodeError:
            raise ParseError(tr("manifest is not UTF-8")) from None
        self._text, self._at = "".join(parts), 0
        return len(parts[0]) < len(self._text)

    def next(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            between = _SPACE.match(self._text, self._at)
            assert between is not None, "it matches nothing as well"
            self._at = between.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._fill():
                return ""

    def take(self, char: str) -> None:
        if self.next() != char:
            error = tr("expected {char}, found {found}", char=char, found=repr(self.next()))
            raise ParseError(tr("manifest is not JSON: {error}", error=error))
        self._at += 1

    def value(self) -> object:
        """One value: whole only where something follows it."""
        self.next()
        while True:
            try:
                value, after = self._decode(self._text, self._at)
            except (ValueError, RecursionError) as error:
                if isinstance(error, RecursionError) or not self._fill():
                    raise ParseError(tr("manifest is not JSON: {error}", error=error)) from None
                continue
            if after < len(self._text) or self._ended:
                self._at = after
                return value
            self._fill()

    def elements(self) -> Iterator[object]:
        """Those of a list, one by one."""
        self.take("[")
        if self.next() == "]":
            self._at += 1
            return
        while True:
            yield self.value()
            if between := _BETWEEN_FILES.match(self._text, self._at):
                self._at = between.end()
                continue
            if self.next() == "]":
                self._at += 1
                return
            self.take(",")


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
