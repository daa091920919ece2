"""WAL page headers: the 24 bytes (40 on a segment's first page) that open every page.

Follows XLogPageHeaderData and XLogLongPageHeaderData in src/include/access/xlog_internal.h.
Little-endian only: a segment from a big-endian server fails as an unknown magic, never as wrong
numbers.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from parsers.errors import ParseError
from parsers.segment import is_segment_size
from parsers.sentences import tr

# xlp_magic -> major version. Supporting a release is adding its line.
MAJOR_BY_MAGIC: Final = {
    0xD106: 13,
    0xD10D: 14,
    0xD110: 15,
    0xD113: 16,
    0xD116: 17,
    0xD118: 18,
    0xD121: 19,
}
NEWEST_MAJOR: Final = max(MAJOR_BY_MAGIC.values())
_NEWEST_MAGIC: Final = max(MAJOR_BY_MAGIC)
_LAST_MAGIC: Final = 0xD1FF  # every release since 9.5 has had a D0xx or D1xx, and a higher one

XLP_FIRST_IS_CONTRECORD: Final = 0x0001
XLP_LONG_HEADER: Final = 0x0002
# 19 dropped XLP_BKP_REMOVABLE (0x0004, no meaning for a reader) and gave its bit to the other.
_OVERWRITE_FLAG_FROM_19: Final = 0x0004
_OVERWRITE_FLAG_TO_18: Final = 0x0008
SHORT_HEADER_BYTES: Final = 24
LONG_HEADER_BYTES: Final = 40
ANY_TIMELINE: Final = 0xFFFF_FFFF  # as that of a segment's name: no page is of a later one
PAGE_BYTES: Final = 8192  # XLOG_BLCKSZ as every packager builds it; the long header tells


class PageHeader(NamedTuple):
    """XLogPageHeaderData."""

    magic: int  # H  page format tag, see MAJOR_BY_MAGIC
    info: int  # H  XLP_* flag bits
    timeline: int  # I  timeline of the first record on the page
    lsn: int  # Q  WAL position of this page's first byte
    remaining: int  # I  bytes of a record carried over from the page before


class LongPageHeader(NamedTuple):
    """XLogLongPageHeaderData: what a segment says of itself on its first page."""

    page: PageHeader
    system_identifier: int  # Q  of the cluster that wrote it
    segment_size: int  # I  bytes
    page_size: int  # I  bytes (XLOG_BLCKSZ)

    @property
    def major(self) -> int:
        """PostgreSQL major version that wrote the page."""
        return MAJOR_BY_MAGIC[self.page.magic]


class NewerRelease(ParseError):
    """WAL of a PostgreSQL newer than this program knows: nothing is known to be wrong with it."""


def is_newer_magic(magic: int) -> bool:
    """Tell whether a page magic may be that of a release to come."""
    return _NEWEST_MAGIC < magic <= _LAST_MAGIC


def overwrite_flag(major: int) -> int:
    """XLP_FIRST_IS_OVERWRITE_CONTRECORD: the record before was abandoned by a crash."""
    return _OVERWRITE_FLAG_FROM_19 if major >= 19 else _OVERWRITE_FLAG_TO_18


def all_flags(major: int) -> int:
    """XLP_ALL_FLAGS: the server refuses a page with any other bit."""
    return 0x0007 if major >= 19 else 0x000F


_SHORT: Final = struct.Struct("<HHIQI4x")  # 4x: MAXALIGN padding
_LONG: Final = struct.Struct("<QII")


def parse_page_header(page: bytes | memoryview, offset: int = 0) -> PageHeader:
    """Read the 24 bytes at `offset`. Judges nothing but the length."""
    if len(page) - offset < SHORT_HEADER_BYTES:
        raise ParseError(tr("page header cut short"), offset=offset)
    return PageHeader(*_SHORT.unpack_from(page, offset))


def parse_segment_header(page: bytes | memoryview) -> LongPageHeader:
    """Read the long header that opens a segment, and refuse what no server would have written.

    Raises ParseError for an unknown magic, a short header where the long one belongs, and an
    impossible segment or page size; NewerRelease for one that is sound but for a magic to come.
    """
    header = parse_any_header(page)
    magic = header.page.magic
    if magic not in MAJOR_BY_MAGIC:
        raise NewerRelease(
            tr(
                "WAL page magic {magic:04X}: of a PostgreSQL newer than "
                "{newest}, the newest that this program knows",
                magic=magic,
                newest=NEWEST_MAJOR,
            ),
            offset=0,
        )
    return header


def parse_any_header(page: bytes | memoryview) -> LongPageHeader:
    """The same, of a release to come as well: this header has not changed since 9.3."""
    short = parse_page_header(page)
    if short.magic not in MAJOR_BY_MAGIC and not is_newer_magic(short.magic):
        raise ParseError(tr("unknown WAL page magic {magic:04X}", magic=short.magic), offset=0)
    if not short.info & XLP_LONG_HEADER:
        raise ParseError(
            tr("first page has no long header (flags {flags:04X})", flags=short.info), offset=2
        )
    if len(page) < LONG_HEADER_BYTES:
        raise ParseError(tr("long page header cut short"), offset=SHORT_HEADER_BYTES)
    header = LongPageHeader(short, *_LONG.unpack_from(page, SHORT_HEADER_BYTES))
    if not is_segment_size(header.segment_size):
        raise ParseError(
            tr("impossible segment size {size}", size=header.segment_size),
            offset=32,
        )
    if header.page_size not in (1 << bits for bits in range(10, 17)):
        raise ParseError(tr("impossible WAL page size {size}", size=header.page_size), offset=36)
    return header


def first_record_lsn(end_lsn: int, segment_size: int, page_size: int = PAGE_BYTES) -> int:
    """Where the record after a record's end starts: a page's header may lie in between.

    >>> f"{first_record_lsn(0x2000000, 1 << 20):X}", f"{first_record_lsn(0x2002000, 1 << 20):X}"
    ('2000028', '2002018')
    """
    if end_lsn % page_size:
        return end_lsn
    return end_lsn + (SHORT_HEADER_BYTES if end_lsn % segment_size else LONG_HEADER_BYTES)
