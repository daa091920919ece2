"""`backup_label` and the `SEGMENT.OFFSET.backup` file that the archive keeps of the same backup.

Follows read_backup_label in src/backend/access/transam/xlogrecovery.c (which is strict on the
first two lines and refuses CRLF) and build_backup_content in xlogbackup.c.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from parsers.errors import ParseError
from parsers.lsn import parse_lsn
from parsers.sentences import tr

_LSN: Final = r"([0-9A-F]{1,8}/[0-9A-F]{1,8})"
_START: Final = re.compile(rf"START WAL LOCATION: {_LSN} \(file ([0-9A-F]{{24}})\)\Z")
_STOP: Final = re.compile(rf"STOP WAL LOCATION: {_LSN} \(file ([0-9A-F]{{24}})\)\Z")
_CHECKPOINT: Final = re.compile(rf"CHECKPOINT LOCATION: {_LSN}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupLabel:
    """What a base backup says of itself. The stop fields are only in the archive's `.backup`."""

    start_lsn: int  # redo location: replay begins here
    start_segment: str
    checkpoint_lsn: int
    timeline: int
    method: str | None  # streamed, pg_start_backup, pg_rewind
    source: str | None  # primary (master in 13) or standby
    started_at_text: str | None  # in the server's log_timezone, as written
    label: str | None
    stop_lsn: int | None = None
    stop_segment: str | None = None
    stop_timeline: int | None = None
    stopped_at_text: str | None = None
    incremental_from_lsn: int | None = None  # 17+: not restorable alone
    incremental_from_timeline: int | None = None


def parse_backup_label(data: bytes) -> BackupLabel:
    """Read a `backup_label` or `.backup` file. Raises ParseError where the server would FATAL."""
    if b"\r" in data:
        raise ParseError(
            tr("carriage return: the server refuses a label with CRLF line ends"), line=1
        )
    lines = data.decode("utf-8", "replace").split("\n")
    start = _START.match(lines[0])
    if start is None:
        raise ParseError(tr("expected 'START WAL LOCATION: LSN (file SEGMENT)'"), line=1)
    values = dict(_fields(lines[1:]))
    checkpoint = _checkpoint_lsn(lines, values)
    stop = next((match for line in lines if (match := _STOP.match(line))), None)
    timeline = _timeline(values.get("START TIMELINE"), start[2])
    incremental_lsn = values.get("INCREMENTAL FROM LSN")
    incremental_timeline = values.get("INCREMENTAL FROM TLI")
    return BackupLabel(
        start_lsn=parse_lsn(start[1]),
        start_segment=start[2],
        checkpoint_lsn=checkpoint,
        timeline=timeline,
        method=values.get("BACKUP METHOD"),
        source=values.get("BACKUP FROM"),
        started_at_text=values.get("START TIME"),
        label=values.get("LABEL"),
        stop_lsn=parse_lsn(stop[1]) if stop else None,
        stop_segment=stop[2] if stop else None,
        stop_timeline=_int(values.get("STOP TIMELINE")),
        stopped_at_text=values.get("STOP TIME"),
        incremental_from_lsn=parse_lsn(incremental_lsn) if incremental_lsn else None,
        incremental_from_timeline=_int(incremental_timeline),
    )


def _fields(lines: list[str]) -> list[tuple[str, str]]:
    return [(key, value) for line in lines for key, colon, value in [line.partition(": ")] if colon]


def _checkpoint_lsn(lines: list[str], values: dict[str, str]) -> int:
    """The server wants it on line 2; a `.backup` file has STOP WAL LOCATION in between."""
    if len(lines) < 3:
        raise ParseError(tr("expected 'CHECKPOINT LOCATION: LSN' and a line end"), line=2)
    candidate = lines[1] if not _STOP.match(lines[1]) else None
    if candidate is None:
        candidate = f"CHECKPOINT LOCATION: {values.get('CHECKPOINT LOCATION', '')}"
    match = _CHECKPOINT.match(candidate)
    if match is None:
        raise ParseError(tr("expected 'CHECKPOINT LOCATION: LSN'"), line=2)
    return parse_lsn(match[1])


def _timeline(text: str | None, segment: str) -> int:
    from_name = int(segment[:8], 16)
    stated = _int(text)
    if stated is not None and stated != from_name:
        raise ParseError(
            tr(
                "START TIMELINE {stated} disagrees with timeline {from_name} of segment {segment}",
                stated=stated,
                from_name=from_name,
                segment=segment,
            )
        )
    return from_name


def _int(text: str | None) -> int | None:
    match = re.match(r"\s*([0-9]{1,10})\s*\Z", text or "")
    return int(match[1]) if match else None
