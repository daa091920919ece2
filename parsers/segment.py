"""Names in a WAL archive, and the arithmetic between names, segment numbers and LSNs.

Follows src/include/access/xlog_internal.h (XLogFileName, XLogSegNoOffsetToRecPtr,
IsXLogFileName and its siblings). The segment size is always an argument: a name alone does not
tell it, and 16 MiB is only the default.
"""

from __future__ import annotations

import enum
import re
from typing import Final, NamedTuple

from parsers.errors import ParseError
from parsers.sentences import tr

MIN_SEGMENT_SIZE: Final = 1 << 20  # bytes: initdb --wal-segsize=1
MAX_SEGMENT_SIZE: Final = 1 << 30  # bytes: initdb --wal-segsize=1024

# Suffixes that archive commands add, each naming its codec.
COMPRESSION_SUFFIXES: Final = (".gz", ".bz2", ".xz", ".lz4", ".zst", ".lzma", ".br")
PARTIAL_SUFFIX: Final = ".partial"  # of the server's own: an unfinished segment
# Suffixes of encrypted files: the name can be looked at, the content cannot.
ENCRYPTION_SUFFIXES: Final = (".gpg", ".age", ".enc", ".aes", ".pgp")

_NAME: Final = re.compile(
    r"(?:(?P<history>[0-9A-F]{8})\.history"
    r"|(?P<segment>[0-9A-F]{24})(?P<partial>\.partial)?(?:\.(?P<offset>[0-9A-F]{8})\.backup)?)\Z"
)

is_segment_name: Final = re.compile(r"[0-9A-F]{24}\Z").match


class NameKind(enum.Enum):
    """What PostgreSQL keeps under a name in the archive."""

    SEGMENT = "segment"
    PARTIAL = "partial"  # the unfinished last segment of a timeline: recovery never reads it
    BACKUP_HISTORY = "backup history"
    TIMELINE_HISTORY = "timeline history"


class WalName(NamedTuple):
    """One name that PostgreSQL archives, taken apart.

    No dataclass: fetch-wal starts once a segment, and to import those costs more than the fetch.
    """

    kind: NameKind
    plain: str  # as the server knows it, without the codec's suffix
    timeline: int
    segment: str | None  # the 24 hexadecimal digits; None for a timeline history
    compression: str | None  # the codec's or cipher's suffix, ".gz"; None when stored as it is


def is_segment_size(size_bytes: int) -> bool:
    """Tell whether initdb accepts this size: a power of two from 1 MiB to 1 GiB."""
    in_range = MIN_SEGMENT_SIZE <= size_bytes <= MAX_SEGMENT_SIZE
    return in_range and size_bytes & (size_bytes - 1) == 0


def parse_wal_name(name: str) -> WalName | None:
    """Take a file's name apart, or say None for what PostgreSQL would not archive.

    >>> parse_wal_name("000000010000000000000004.gz").plain
    '000000010000000000000004'
    >>> parse_wal_name("base.tar") is None
    True
    """
    stem, compression = _split_compression(name)
    match = _NAME.match(stem)
    if match is None or (match["partial"] and match["offset"]):
        return None
    segment: str | None = match["segment"]
    return WalName(
        kind=_kind(match),
        plain=stem,
        timeline=int(segment[:8] if segment else match["history"], 16),
        segment=segment,
        compression=compression,
    )


def _kind(match: re.Match[str]) -> NameKind:
    if match["history"]:
        return NameKind.TIMELINE_HISTORY
    if match["partial"]:
        return NameKind.PARTIAL
    return NameKind.BACKUP_HISTORY if match["offset"] else NameKind.SEGMENT


def _split_compression(name: str) -> tuple[str, str | None]:
    for suffix in COMPRESSION_SUFFIXES + ENCRYPTION_SUFFIXES:
        if name.endswith(suffix):
            return name[: -len(suffix)], suffix
    return name, None


def segments_per_log(size_bytes: int) -> int:
    """How many segments share the middle eight digits of their names: 4 GiB of WAL."""
    return 0x1_0000_0000 // size_bytes


def segment_name(timeline: int, number: int, size_bytes: int) -> str:
    """Name the segment `number` of a timeline.

    >>> segment_name(1, 4, 16 << 20)
    '000000010000000000000004'
    """
    per_log = segments_per_log(size_bytes)
    return f"{timeline:08X}{number // per_log:08X}{number % per_log:08X}"


def parse_segment_name(name: str, size_bytes: int) -> tuple[int, int]:
    """Give (timeline, segment number) of a 24-digit name. Raises ParseError for an illegal one."""
    if not is_segment_name(name):
        raise ParseError(
            tr("not a WAL segment name: {name!r} (expected 24 hexadecimal digits)", name=name)
        )
    per_log = segments_per_log(size_bytes)
    low = int(name[16:], 16)
    if low >= per_log:
        raise ParseError(
            tr(
                "no segment of {size_bytes} bytes can be named {name}",
                size_bytes=size_bytes,
                name=name,
            )
        )
    return int(name[:8], 16), int(name[8:16], 16) * per_log + low


def segment_of(lsn: int, size_bytes: int) -> int:
    """Number of the segment that holds the byte at `lsn` (a start position)."""
    return lsn // size_bytes


def segment_before(lsn: int, size_bytes: int) -> int:
    """Number of the segment that holds the byte before `lsn` (an end position)."""
    return (lsn - 1) // size_bytes
