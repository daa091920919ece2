"""pgBackRest's `archive.info`, `backup.info` and `backup.manifest` (format 5), and its names.

Ini-like: `key=JSON` below `[section]`. The file's own SHA-1 is over its keys and values written as
one JSON object (src/info/info.c), so that a file cut short or edited is told from a good one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from parsers.errors import ParseError
from parsers.lsn import parse_lsn
from parsers.sentences import tr
from parsers.values import dataclass

FORMAT: Final = 5
COPY_SUFFIX: Final = ".copy"  # each info file and manifest lies there twice
LABEL: Final = re.compile(r"[0-9]{8}-[0-9]{6}F(?:_[0-9]{8}-[0-9]{6}[DI])?\Z")
ARCHIVE_ID: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)-([0-9]+)\Z")
SUFFIXES: Final = {"none": "", "gz": ".gz", "lz4": ".lz4", "zst": ".zst", "bz2": ".bz2"}
BLOCK_SUFFIX: Final = ".pgbi"
_STORED: Final = re.compile(r"([0-9A-F]{24})(\.partial)?-([0-9a-f]{40})(\.gz|\.lz4|\.zst|\.bz2)?\Z")
_SECTION: Final = re.compile(r"\[(.*)\]\Z")
_CHECKSUM: Final = "backrest-checksum"
_DECODE: Final = json.JSONDecoder().raw_decode

Sections = Mapping[str, Mapping[str, Any]]


class WrongPassphrase(ParseError):
    """What is there is not text: it was decrypted with another passphrase than its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSegment:
    """The name of a segment in the archive, taken apart."""

    segment: str
    partial: bool
    sha1: str  # of its content, neither compressed nor encrypted
    suffix: str  # of the codec; empty: stored as it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """One cluster that a stanza has held: an entry of `[db:history]`."""

    id: int
    version: str  # 16, 9.6
    system_identifier: int

    @property
    def archive_id(self) -> str:
        return f"{self.version}-{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveInfo:
    """What `archive.info` says."""

    current_id: int
    databases: Mapping[int, Database]
    passphrase: str | None  # of the WAL; None: it is not encrypted

    def clusters_like(self, current: Database) -> list[Database]:
        """The entries whose WAL archive-get looks into for this cluster, oldest first."""
        wanted = (current.version, current.system_identifier)
        found = self.databases.values()
        return [each for each in found if (each.version, each.system_identifier) == wanted]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupEntry:
    """One backup that `backup.info` lists as complete."""

    label: str
    kind: str  # full, diff, incr
    prior: str | None
    references: tuple[str, ...]  # labels whose files it needs, without itself
    database_id: int
    start_segment: str | None  # None: taken without WAL archiving
    stop_segment: str | None
    start_lsn: int | None
    stop_lsn: int | None
    started_at: int  # epoch seconds
    stopped_at: int  # by the repository host's clock, after the copy
    page_errors: bool  # it found pages with a wrong checksum
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupInfo:
    """What `backup.info` says."""

    current_id: int
    databases: Mapping[int, Database]
    passphrase: str | None  # of the manifests
    backups: tuple[BackupEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryFile:
    """One file of a backup, and where it is stored."""

    path: str  # as pg_data/base/1/1259
    size_bytes: int
    checksum: str | None  # SHA-1 of the content; None: it is empty
    stored_bytes: int
    stored_checksum: str | None  # of the bytes as they are stored; None: not recorded
    reference: str | None  # the backup that stores it; None: this one
    bundle: int | None
    offset: int
    block_bytes: int | None  # None: stored whole
    map_bytes: int
    block_checksum_bytes: int
    page_errors: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryManifest:
    """What `backup.manifest` says."""

    label: str
    kind: str
    references: tuple[str, ...]  # in the order that block maps count them by, itself included
    compression: str  # of this backup's own files: none, gz, lz4, zst, bz2
    bundle_raw: bool  # encrypted without the 8 bytes of magic, where it is bundled or in blocks
    passphrase: str | None  # of the backup's files
    files: tuple[RepositoryFile, ...]


def parse_stored_name(name: str) -> StoredSegment | None:
    """Take a segment's file name apart; None for another file.

    >>> parse_stored_name("00000001000000000000000E-" + "a" * 40 + ".gz").suffix
    '.gz'
    """
    match = _STORED.match(name)
    if match is None:
        return None
    return StoredSegment(
        segment=match[1], partial=match[2] is not None, sha1=match[3], suffix=match[4] or ""
    )


def parse_archive_info(data: bytes) -> ArchiveInfo:
    """Read `archive.info`. Raises ParseError."""
    with_errors = _Reader(parse_sections(data))
    return ArchiveInfo(
        current_id=with_errors.number("db", "db-id"),
        databases=with_errors.databases("db-id"),
        passphrase=with_errors.passphrase(),
    )


def parse_backup_info(data: bytes) -> BackupInfo:
    """Read `backup.info`. Raises ParseError."""
    reader = _Reader(parse_sections(data))
    return BackupInfo(
        current_id=reader.number("db", "db-id"),
        databases=reader.databases("db-system-id"),
        passphrase=reader.passphrase(),
        backups=tuple(reader.backups()),
    )


def parse_manifest(data: bytes) -> RepositoryManifest:
    """Read `backup.manifest`. Raises ParseError."""
    reader = _Reader(parse_sections(data))
    label = reader.text("backup", "backup-label")
    references = reader.optional("backup", "backup-reference", str) or label
    return RepositoryManifest(
        label=label,
        kind=reader.text("backup", "backup-type"),
        references=tuple(references.split(",")),
        compression=reader.compression(),
        bundle_raw=reader.optional("backup", "backup-bundle-raw", bool) or False,
        passphrase=reader.passphrase(),
        files=tuple(reader.files()),
    )


def parse_sections(data: bytes) -> Sections:
    """Read the sections of an info file, and hold it against its own checksum. Raises ParseError.

    Nothing is believed of a file whose checksum is not right.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise WrongPassphrase(tr("it is not text: encrypted, or with another passphrase")) from None
    sections: dict[str, dict[str, Any]] = {}
    written: dict[str, list[str]] = {}
    section = None
    for number, line in enumerate(text.split("\n"), start=1):
        if not line:
            continue
        if (match := _SECTION.match(line)) and "=" not in line:
            section = match[1]
            sections.setdefault(section, {})
            continue
        if section is None:
            raise WrongPassphrase(tr("a key outside of any section"), line=number)
        key, value, sections[section][key] = _split(line, number)
        if key != _CHECKSUM:
            written.setdefault(section, []).append(f"{json.dumps(key, ensure_ascii=False)}:{value}")
    _check(sections, written)
    return sections


def _split(line: str, number: int) -> tuple[str, str, Any]:
    """The key, the value as it is written, and the value.

    A key may hold an `=`: the value is the longest rest that is JSON.
    """
    at = line.find("=")
    if at < 0:
        raise ParseError(tr("expected key=value"), line=number)
    while at >= 0:
        with suppress(ValueError, RecursionError):
            value, end = _DECODE(line, at + 1)
            if end == len(line):
                return line[:at], line[at + 1 :], value
        at = line.find("=", at + 1)
    raise ParseError(tr("the value is no JSON"), line=number)


def _check(sections: Sections, written: Mapping[str, list[str]]) -> None:
    own = sections.get("backrest", {})
    if own.get("backrest-format") not in (None, FORMAT):
        raise ParseError(
            tr(
                "format {found}: this program reads {known}",
                found=own["backrest-format"],
                known=FORMAT,
            )
        )
    stated = own.get(_CHECKSUM)
    if not isinstance(stated, str):
        raise ParseError(tr("its checksum is not there: it is cut short"))
    parts = ",".join(
        f"{json.dumps(name, ensure_ascii=False)}:{{{','.join(written[name])}}}"
        for name in sorted(written)
    )
    if hashlib.sha1(f"{{{parts}}}".encode()).hexdigest() != stated:
        raise ParseError(tr("its checksum is not that of its content"))


class _Reader:
    """Values out of sections. Whatever is not as the format has it is a ParseError."""

    def __init__(self, sections: Sections) -> None:
        self._sections = sections

    def optional(self, section: str, key: str, kind: type) -> Any:
        return _optional(self._sections.get(section, {}), key, kind, f"[{section}]")

    def text(self, section: str, key: str) -> str:
        return str(self._required(section, key, str))

    def number(self, section: str, key: str) -> int:
        return int(self._required(section, key, int))

    def passphrase(self) -> str | None:
        found: str | None = self.optional("cipher", "cipher-pass", str)
        return found

    def databases(self, identifier: str) -> dict[int, Database]:
        """The history. `identifier` is the key that holds the system identifier."""
        found: dict[int, Database] = {}
        for key, value in self._sections.get("db:history", {}).items():
            if not key.isdecimal() or not isinstance(value, dict):
                raise ParseError(tr("[db:history]: {key!r} is no entry", key=key))
            number, where = int(key), f"[db:history] {key}"
            found[number] = Database(
                id=number,
                version=_required(value, "db-version", str, where),
                system_identifier=_required(value, identifier, int, where),
            )
        if self.number("db", "db-id") not in found:
            raise ParseError(tr("[db:history] lacks the current cluster"))
        return found

    def compression(self) -> str:
        name: str | None = self.optional("backup:option", "option-compress-type", str)
        if name is None:  # before 2.27
            is_on = self.optional("backup:option", "option-compress", bool)
            name = "gz" if is_on else "none"
        if name not in SUFFIXES:
            raise ParseError(tr("compress-type {name!r} is not known", name=name))
        return name

    def backups(self) -> Iterator[BackupEntry]:
        for label, value in self._sections.get("backup:current", {}).items():
            if not isinstance(value, dict) or not LABEL.match(label):
                raise ParseError(tr("[backup:current]: {label!r} is no backup", label=label))
            yield _entry(label, value)

    def files(self) -> Iterator[RepositoryFile]:
        for path, value in self._sections.get("target:file", {}).items():
            if not isinstance(value, dict) or not _is_below(path):
                raise ParseError(tr("[target:file]: {path!r} is no file", path=path))
            yield _file(path, value)

    def _required(self, section: str, key: str, kind: type) -> Any:
        return _required(self._sections.get(section, {}), key, kind, f"[{section}]")


def _entry(label: str, value: Mapping[str, Any]) -> BackupEntry:
    where = f"[backup:current] {label}"
    references = _optional(value, "backup-reference", list, where) or []
    annotations = _optional(value, "backup-annotation", dict, where) or {}
    start = _optional(value, "backup-lsn-start", str, where)
    stop = _optional(value, "backup-lsn-stop", str, where)
    return BackupEntry(
        label=label,
        kind=_required(value, "backup-type", str, where),
        prior=_optional(value, "backup-prior", str, where),
        references=tuple(str(each) for each in references),
        database_id=_required(value, "db-id", int, where),
        start_segment=_optional(value, "backup-archive-start", str, where),
        stop_segment=_optional(value, "backup-archive-stop", str, where),
        start_lsn=parse_lsn(start) if start else None,
        stop_lsn=parse_lsn(stop) if stop else None,
        started_at=_required(value, "backup-timestamp-start", int, where),
        stopped_at=_required(value, "backup-timestamp-stop", int, where),
        page_errors=_optional(value, "backup-error", bool, where) or False,
        annotations={str(key): str(text) for key, text in annotations.items()},
    )


def _file(path: str, value: Mapping[str, Any]) -> RepositoryFile:
    size = _required(value, "size", int, path)
    checksum = _optional(value, "checksum", str, path)
    blocks = _optional(value, "bi", int, path)
    stored = _optional(value, "rck", str, path)
    stored_bytes = _optional(value, "repo-size", int, path)
    return RepositoryFile(
        path=path,
        size_bytes=size,
        checksum=checksum if size else None,
        stored_bytes=size if stored_bytes is None else stored_bytes,
        stored_checksum=stored,
        reference=_optional(value, "reference", str, path),
        bundle=_optional(value, "bni", int, path),
        offset=_optional(value, "bno", int, path) or 0,
        block_bytes=blocks * 8192 if blocks else None,
        map_bytes=_optional(value, "bim", int, path) or 0,
        block_checksum_bytes=_optional(value, "bic", int, path) or 6,
        page_errors=value.get("checksum-page") is False,
    )


def _is_below(path: str) -> bool:
    """Whether a manifest's path stays in the backup: what it says is opened."""
    return "\0" not in path and not path.startswith("/") and ".." not in path.split("/")


def _required(value: Mapping[str, Any], key: str, kind: type, where: str) -> Any:
    found = _optional(value, key, kind, where)
    if found is None:
        raise ParseError(tr("{where}: {key} is not there", where=where, key=key))
    return found


def _optional(value: Mapping[str, Any], key: str, kind: type, where: str) -> Any:
    found = value.get(key)
    if found is None:
        return None
    wrong = not isinstance(found, kind)
    if not wrong and kind is int:
        wrong = isinstance(found, bool) or found < 0
    if wrong:
        raise ParseError(tr("{where}: {key} is not what it should be", where=where, key=key))
    return found
