"""WAL-G's names, and the sentinel and metadata files of its backups (storage version 005).

Follows backup_sentinel_dto.go and internal/backup.go: LSNs are decimal integers, the name holds the
segment of the start, and a sentinel is written last.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from parsers.errors import ParseError
from parsers.sentences import tr
from parsers.values import dataclass

WAL_FOLDER: Final = "wal_005"
BACKUPS_FOLDER: Final = "basebackups_005"
SENTINEL_SUFFIX: Final = "_backup_stop_sentinel.json"
BACKUP_NAME: Final = re.compile(r"base_([0-9A-F]{24})(?:_D_([0-9A-F]{24}))?(?:_[0-9A-F]{8})?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class WalgBackup:
    """What the sentinel says of one backup."""

    name: str
    start_segment: str
    timeline: int
    start_lsn: int | None
    stop_lsn: int | None  # None in old ones
    delta_from: str | None  # None: it is a full one
    major: int | None
    system_identifier: int | None
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesMetadata:
    """Which tar holds which file, without the leading `/`."""

    tars: Mapping[str, tuple[str, ...]]
    skipped: frozenset[str]  # unchanged since the backup that it is a delta of
    incremented: frozenset[str]  # changed blocks alone


def parse_sentinel(data: bytes, name: str) -> WalgBackup:
    """Read a sentinel. Raises ParseError."""
    match = BACKUP_NAME.match(name)
    if match is None:
        raise ParseError(tr("{name!r} is no name of a backup", name=name))
    value = _object(data)
    version = _number(value, "PgVersion")
    return WalgBackup(
        name=name,
        start_segment=match[1],
        timeline=int(match[1][:8], 16),
        start_lsn=_number(value, "LSN"),
        stop_lsn=_number(value, "FinishLSN"),
        delta_from=_text(value, "DeltaFrom"),
        major=version // 10000 if version is not None else None,
        system_identifier=_number(value, "SystemIdentifier"),
        started_at=_instant(value.get("StartTime")),
        finished_at=_instant(value.get("FinishTime")),
    )


def parse_files_metadata(data: bytes) -> FilesMetadata:
    """Read `files_metadata.json`. Raises ParseError."""
    value = _object(data)
    files, sets = value.get("Files"), value.get("TarFileSets")
    files = files if isinstance(files, dict) else {}
    sets = sets if isinstance(sets, dict) else {}

    def marked(key: str) -> frozenset[str]:
        return frozenset(
            name.removeprefix("/")
            for name, each in files.items()
            if isinstance(each, dict) and each.get(key) is True
        )

    return FilesMetadata(
        tars={
            tar: tuple(str(name).removeprefix("/") for name in names)
            for tar, names in sets.items()
            if isinstance(names, list)
        },
        skipped=marked("IsSkipped"),
        incremented=marked("IsIncremented"),
    )


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise ParseError(tr("it is no JSON: it is cut short, or another file")) from None
    if not isinstance(value, dict):
        raise ParseError(tr("it is no JSON object"))
    return value


def _number(value: Mapping[str, Any], key: str) -> int | None:
    found = value.get(key)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found < 1 << 64:
        raise ParseError(tr("{key} is no number", key=key))
    return found


def _text(value: Mapping[str, Any], key: str) -> str | None:
    found = value.get(key)
    if found is not None and not isinstance(found, str):
        raise ParseError(tr("{key} is no text", key=key))
    return found or None


def _instant(text: object) -> datetime | None:
    """RFC 3339, in which Go writes nanoseconds."""
    if not isinstance(text, str):
        return None
    try:
        read = datetime.fromisoformat(re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", text))
    except ValueError:
        return None
    return read.astimezone(UTC) if read.tzinfo else None
