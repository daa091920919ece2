"""`backup_label` and the `SEGMENT.OFFSET.backup` file that the archive keeps of the same backup.

Follows read_backup_label in src/backend/access/transam/xlogrecovery.c (xlog.c to 14), which is
strict on the first two lines, and build_backup_content in xlogbackup.c. Of the lines after them
none has to be there; but where one is not, the server finds none of the rest.
"""

from __future__ import annotations

import re
from typing import Final, cast

from parsers.errors import ParseError
from parsers.files.scanf import Scanner
from parsers.lsn import parse_lsn
from parsers.segment import segment_name
from parsers.sentences import tr
from parsers.values import dataclass

_LSN: Final = r"([0-9A-F]{1,8}/[0-9A-F]{1,8})"
_OF_SEGMENT: Final = rf"{_LSN} \(file ([0-9A-F]{{24}})\)\n"
_HISTORY: Final = re.compile(
    rf"START WAL LOCATION: {_OF_SEGMENT}STOP WAL LOCATION: {_OF_SEGMENT}"
    rf"CHECKPOINT LOCATION: {_LSN}\n(.*)",
    re.DOTALL,
)
_IN_SEGMENT: Final = re.compile(r"[0-9A-F]{16}\Z")
_COMMON_SEGMENT_BYTES: Final = 16 << 20
_PADDED: Final = 19  # from which major on the lower half of an LSN has eight digits at most


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


def parse_backup_label(data: bytes, *, major: int | None = None) -> BackupLabel:
    """Read a `backup_label` as a server of this major does. Raises ParseError where it would FATAL.

    The name of the segment it does not look at: where it is none, that of a segment of 16 MiB.
    """
    scanner = Scanner(data)
    low = b"%08X" if major is not None and major >= _PADDED else b"%X"
    start = scanner.scan(b"START WAL LOCATION: %X/" + low + b" (file %08X%16s)%c")
    if len(start) != 5 or start[-1] != b"\n":
        raise _refused(start, tr("expected 'START WAL LOCATION: LSN (file SEGMENT)'"), 1)
    checkpoint = scanner.scan(b"CHECKPOINT LOCATION: %X/" + low + b"%c")
    if len(checkpoint) != 3 or checkpoint[-1] != b"\n":
        raise _refused(checkpoint, tr("expected 'CHECKPOINT LOCATION: LSN' and a line end"), 2)
    method, source, started_at, label = (
        _text(scanner.scan(form))
        for form in (
            b"BACKUP METHOD: %19s\n",
            b"BACKUP FROM: %19s\n",
            b"START TIME: %127[^\n]\n",
            b"LABEL: %1023[^\n]\n",
        )
    )
    timeline, lsn = cast(int, start[2]), _lsn(start)
    if scanner.scan(b"START TIMELINE: %u\n") not in ([], [timeline]):
        raise ParseError(
            tr(
                "START TIMELINE disagrees with timeline {timeline} of the segment",
                timeline=timeline,
            )
        )
    before = scanner.scan(b"INCREMENTAL FROM LSN: %X/" + low + b"\n")
    incremental_timeline = scanner.scan(b"INCREMENTAL FROM TLI: %u\n")
    name = _text(start[3:]) or ""
    of_16_mib = segment_name(timeline, lsn // _COMMON_SEGMENT_BYTES, _COMMON_SEGMENT_BYTES)
    return BackupLabel(
        start_lsn=lsn,
        start_segment=f"{timeline:08X}{name}" if _IN_SEGMENT.match(name) else of_16_mib,
        checkpoint_lsn=_lsn(checkpoint),
        timeline=timeline,
        method=method,
        source=source,
        started_at_text=started_at,
        label=label,
        incremental_from_lsn=_lsn([*before, 0]) if before else None,
        incremental_from_timeline=cast(int, incremental_timeline[0])
        if incremental_timeline
        else None,
    )


def parse_backup_history(data: bytes) -> BackupLabel:
    """Read an archive's `.backup` file, which no server reads. Raises ParseError."""
    match = _HISTORY.match(data.decode("utf-8", "replace"))
    if match is None:
        raise ParseError(
            tr("expected the lines START WAL LOCATION, STOP WAL LOCATION, CHECKPOINT LOCATION"),
            line=1,
        )
    start, start_segment, stop, stop_segment, checkpoint, rest = match.groups()
    values = dict(line.split(": ", 1) for line in rest.split("\n") if ": " in line)
    return BackupLabel(
        start_lsn=parse_lsn(start),
        start_segment=start_segment,
        checkpoint_lsn=parse_lsn(checkpoint),
        timeline=int(start_segment[:8], 16),
        method=values.get("BACKUP METHOD"),
        source=values.get("BACKUP FROM"),
        started_at_text=values.get("START TIME"),
        label=values.get("LABEL"),
        stop_lsn=parse_lsn(stop),
        stop_segment=stop_segment,
        stop_timeline=_int(values.get("STOP TIMELINE")),
        stopped_at_text=values.get("STOP TIME"),
    )


def _refused(found: list[int | bytes], expected: str, line: int) -> ParseError:
    of_windows = tr("carriage return: the server refuses a label with CRLF line ends")
    return ParseError(of_windows if found[-1:] == [b"\r"] else expected, line=line)


def _lsn(halves: list[int | bytes]) -> int:
    high, low = cast(list[int], halves[:2])
    return high << 32 | low


def _text(found: list[int | bytes]) -> str | None:
    return cast(bytes, found[0]).decode("utf-8", "replace") if found else None


def _int(text: str | None) -> int | None:
    match = re.match(r"\s*([0-9]{1,10})\s*\Z", text or "")
    return int(match[1]) if match else None
