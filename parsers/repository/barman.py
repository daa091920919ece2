"""Barman's `backup.info` and `xlog.db`, which barman-cloud's backups have as well.

`key=value` lines; `None` is written where there is no value, tuples and quoted text as Python
writes them (barman/infofile.py). What Barman refuses to read is refused here too, whether we need
the value or not: none of its commands takes a backup whose `backup.info` it cannot load.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from parsers.errors import ParseError
from parsers.lsn import parse_lsn
from parsers.segment import is_segment_size
from parsers.sentences import tr
from parsers.values import dataclass

BACKUP_ID: Final = re.compile(r"[0-9]{8}T[0-9]{6}\Z")
RESTORABLE: Final = ("DONE", "WAITING_FOR_WALS")
UNFINISHED: Final = ("EMPTY", "STARTED", "SYNCING")
_NUMBERS: Final = ("begin_offset", "end_offset", "size", "deduplicated_size")  # others are read
_LITERALS: Final = ("included_files", "copy_stats", "tablespaces", "backup_label")
_CTIME: Final = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} [0-9]{4}\Z")
# How a compressor is called, in lists of every release; of its own by a person: custom.
_TIME: Final = re.compile(r"[0-9]+(\.[0-9]*)?(e[-+]?[0-9]+)?\Z|None\Z")
_COMPRESSIONS: Final = frozenset(
    {"gzip", "pygzip", "bzip2", "pybzip2", "pigz", "xz", "zstd", "lz4", "snappy", "custom"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BarmanBackup:
    """What `backup.info` says of one backup."""

    id: str
    name: str | None
    status: str
    mode: str | None
    timeline: int | None
    start_lsn: int | None
    stop_lsn: int | None
    start_segment: str | None
    started_at: datetime | None  # None where it is written without a zone
    finished_at: datetime | None
    system_identifier: int | None
    major: int | None
    segment_size_bytes: int | None
    parent: str | None
    encryption: str | None
    label: bytes | None  # the backup_label, as it is in the backup
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class XlogEntry:
    """One file of WAL that `xlog.db` lists."""

    name: str
    stored_bytes: int
    compression: str | None
    encryption: str | None
    stored_at: float | None = None  # epoch seconds; None: from 3.14 on


def parse_backup_info(data: bytes, backup_id: str) -> BarmanBackup:
    """Read `backup.info`. Raises ParseError."""
    values = _values(data)
    status = values.get("status")
    if not status:
        raise ParseError(tr("it has no status: it is no backup.info"))
    for key in _NUMBERS:
        _number(values, key)
    for key in _LITERALS:
        _literal(values, key)
    version = _number(values, "version")
    size = _number(values, "xlog_segment_size")
    return BarmanBackup(
        id=backup_id,
        name=values.get("backup_name"),
        status=status,
        mode=values.get("mode"),
        timeline=_number(values, "timeline"),
        start_lsn=_lsn(values, "begin_xlog"),
        stop_lsn=_lsn(values, "end_xlog"),
        start_segment=values.get("begin_wal"),
        started_at=_instant(values, "begin_time"),
        finished_at=_instant(values, "end_time"),
        system_identifier=_number(values, "systemid"),
        major=version // 10000 if version is not None else None,
        segment_size_bytes=size if size is not None and is_segment_size(size) else None,
        parent=values.get("parent_backup_id"),
        encryption=values.get("encryption"),
        label=_label(values),
        error=values.get("error"),
    )


def parse_xlogdb(data: bytes) -> tuple[XlogEntry, ...]:
    """Read `xlog.db`, with 4 or 5 fields a line, as Barman does. Raises ParseError."""
    entries: list[XlogEntry] = []
    *lines, last = re.split(r"\r\n?|\n", _text(data))
    for number, line in enumerate([*lines, last] if last else lines, start=1):
        fields = line.split()
        if len(fields) not in (4, 5) or not fields[1].isdecimal() or not _TIME.match(fields[2]):
            raise ParseError(tr("expected NAME, SIZE, TIME, COMPRESSION"), line=number)
        if fields[3] not in _COMPRESSIONS and fields[3] != "None":
            raise ParseError(tr("a compression that Barman does not know"), line=number)
        codec, cipher = (None if text == "None" else text for text in [*fields[3:], "None"][:2])
        size = int(fields[1])
        entry = XlogEntry(
            name=fields[0], stored_bytes=size, compression=codec, encryption=cipher,
            stored_at=_epoch(fields[2]) if len(fields) == 4 else None,
        )  # fmt: skip
        entries.append(entry)
    return tuple(entries)


def _epoch(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", text) else None


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ParseError(tr("it is not UTF-8, and Barman refuses it")) from None


def _values(data: bytes) -> Mapping[str, str]:
    values: dict[str, str] = {}
    for number, line in enumerate(_text(data).split("\n"), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        key, equals, value = line.partition("=")
        if not equals:
            raise ParseError(tr("expected key=value"), line=number)
        if value.strip() != "None":
            values[key.strip()] = value.strip()
    return values


def _number(values: Mapping[str, str], key: str) -> int | None:
    text = values.get(key)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 21):
        raise ParseError(tr("{key} is no number", key=key))
    return int(text)


def _lsn(values: Mapping[str, str], key: str) -> int | None:
    text = values.get(key)
    return parse_lsn(text) if text is not None else None


def _instant(values: Mapping[str, str], key: str) -> datetime | None:
    """ISO 8601; by barman-cloud before 3.13 as ctime() has it, without a zone."""
    text = values.get(key)
    if text is None or _CTIME.match(text):
        return None
    try:
        read = datetime.fromisoformat(text)
        return read.astimezone(UTC) if read.tzinfo else None
    except (ValueError, OverflowError):
        raise ParseError(tr("{key} is no time", key=key)) from None


def _literal(values: Mapping[str, str], key: str) -> object:
    text = values.get(key)
    if text is None:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise ParseError(tr("{key} is not quoted as Python quotes it", key=key)) from None


def _label(values: Mapping[str, str]) -> bytes | None:
    read = _literal(values, "backup_label")
    if read is None:
        return None
    if not isinstance(read, str):
        raise ParseError(tr("backup_label is no text"))
    return read.encode("utf-8", "surrogatepass")
