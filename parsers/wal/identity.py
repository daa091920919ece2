"""What a segment says it is, on its first page, and whether that is what its name promises."""

from __future__ import annotations

from typing import Final

from parsers.errors import ParseError
from parsers.lsn import format_lsn
from parsers.sentences import tr
from parsers.wal.damage import DamageKind
from parsers.wal.page import (
    LONG_HEADER_BYTES,
    MAJOR_BY_MAGIC,
    PAGE_BYTES,
    SHORT_HEADER_BYTES,
    LongPageHeader,
    NewerRelease,
    parse_page_header,
    parse_segment_header,
)

Refusal = tuple[DamageKind, str]  # kind, detail
_ZEROS: Final = bytes(64 << 10)


def read_identity(
    view: memoryview, segment_size: int | None
) -> tuple[LongPageHeader | None, Refusal | None]:
    """Give (the first page's header, why the segment cannot be read); either may be None."""
    if len(view) < LONG_HEADER_BYTES:
        return None, (
            DamageKind.TRUNCATED,
            tr("only {size} bytes, less than a page header", size=len(view)),
        )
    try:
        header = parse_segment_header(view[:LONG_HEADER_BYTES])
    except NewerRelease as error:
        if _agrees(view):
            return None, (DamageKind.UNREADABLE, error.message)
        return None, (DamageKind.BAD_HEADER, tr("first page: {error}", error=error))
    except ParseError as error:
        if is_zero(view[:PAGE_BYTES]):
            return None, (DamageKind.ZEROED, tr("all zeros from the start"))
        return None, (DamageKind.BAD_HEADER, tr("first page: {error}", error=error))
    if segment_size and header.segment_size != segment_size:
        detail = tr(
            "first page: says segments have {size} bytes, not {expected}",
            size=header.segment_size,
            expected=segment_size,
        )
        return header, (DamageKind.BAD_HEADER, detail)
    if len(view) < header.page_size:
        return header, (
            DamageKind.TRUNCATED,
            tr("only {size} bytes, less than a page", size=len(view)),
        )
    if _contradicts(view, header):
        detail = tr(
            "first page: magic {magic:04X} and page size {page_size} unlike the next",
            magic=header.page.magic,
            page_size=header.page_size,
        )
        return header, (DamageKind.BAD_HEADER, detail)
    return header, None


def _agrees(view: memoryview) -> bool:
    """Tell whether the page after a first one of a newer release has its magic, or is empty.

    One that does not shows that the first page's magic was damaged.
    """
    second = view[PAGE_BYTES : PAGE_BYTES + SHORT_HEADER_BYTES]
    return bytes(second[:2]) == bytes(view[:2]) or is_zero(second)


def _contradicts(buffer: memoryview, header: LongPageHeader) -> bool:
    """Tell whether the next two pages agree that the first page lies about what it is.

    A damaged magic or page size can be another legal one; alone, it would shift the blame to all
    the pages after it.
    """
    if header.page_size != PAGE_BYTES and len(buffer) >= header.page_size + SHORT_HEADER_BYTES:
        page = parse_page_header(buffer, header.page_size)
        if (page.magic, page.lsn) != (header.page.magic, header.page.lsn + header.page_size):
            return True
    if len(buffer) < 3 * header.page_size:
        return False
    second, third = (parse_page_header(buffer, n * header.page_size) for n in (1, 2))
    return second.magic == third.magic != header.page.magic and second.magic in MAJOR_BY_MAGIC


def is_zero(buffer: memoryview) -> bool:
    """Tell whether all the bytes are zero."""
    step = len(_ZEROS)
    pieces = (bytes(buffer[at : at + step]) for at in range(0, len(buffer), step))
    return all(piece == _ZEROS[: len(piece)] for piece in pieces)


def refuse(
    header: LongPageHeader, start_lsn: int, name_timeline: int, system_identifier: int | None
) -> Refusal | None:
    """Why a sound header does not belong to the segment that the name promises."""
    page = header.page
    if system_identifier is not None and header.system_identifier != system_identifier:
        detail = tr(
            "system identifier {found}, not {expected}",
            found=header.system_identifier,
            expected=system_identifier,
        )
        return DamageKind.FOREIGN_SYSTEM, detail
    if page.lsn != start_lsn:
        detail = tr(
            "first page: says it belongs at {found}, not {expected}",
            found=format_lsn(page.lsn),
            expected=format_lsn(start_lsn),
        )
        return DamageKind.WRONG_ADDRESS, detail
    if page.timeline > name_timeline:
        detail = tr(
            "first page: timeline {timeline} in a segment named for timeline {name_timeline}",
            timeline=page.timeline,
            name_timeline=name_timeline,
        )
        return DamageKind.WRONG_TIMELINE, detail
    return None
