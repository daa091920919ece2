"""What a segment says it is, on its first page, and whether that is what its name promises."""

from __future__ import annotations

from parsers.errors import ParseError
from parsers.lsn import format_lsn
from parsers.wal_damage import DamageKind
from parsers.wal_page import LONG_HEADER_BYTES, PAGE_BYTES, LongPageHeader, parse_segment_header
from parsers.wal_pages import contradicts, is_zero

Refusal = tuple[DamageKind, str]  # kind, detail


def read_identity(
    view: memoryview, segment_size: int | None
) -> tuple[LongPageHeader | None, Refusal | None]:
    """Give (the first page's header, why the segment cannot be read); either may be None."""
    if len(view) < LONG_HEADER_BYTES:
        return None, (DamageKind.TRUNCATED, f"only {len(view)} bytes, less than a page header")
    try:
        header = parse_segment_header(view[:LONG_HEADER_BYTES])
    except ParseError as error:
        if is_zero(view[:PAGE_BYTES]):
            return None, (DamageKind.ZEROED, "all zeros from the start")
        return None, (DamageKind.BAD_HEADER, f"first page: {error}")
    if segment_size and header.segment_size != segment_size:
        detail = f"says segments have {header.segment_size} bytes, not {segment_size}"
        return header, (DamageKind.BAD_HEADER, f"first page: {detail}")
    if len(view) < header.page_size:
        return header, (DamageKind.TRUNCATED, f"only {len(view)} bytes, less than a page")
    if contradicts(view, header):
        detail = f"magic {header.page.magic:04X} and page size {header.page_size} unlike the next"
        return header, (DamageKind.BAD_HEADER, f"first page: {detail}")
    return header, None


def refuse(
    header: LongPageHeader, start_lsn: int, name_timeline: int, system_identifier: int | None
) -> Refusal | None:
    """Why a sound header does not belong to the segment that the name promises."""
    page = header.page
    if system_identifier is not None and header.system_identifier != system_identifier:
        detail = f"system identifier {header.system_identifier}, not {system_identifier}"
        return DamageKind.FOREIGN_SYSTEM, detail
    if page.lsn != start_lsn:
        detail = f"says it belongs at {format_lsn(page.lsn)}, not {format_lsn(start_lsn)}"
        return DamageKind.WRONG_ADDRESS, f"first page: {detail}"
    if page.timeline > name_timeline:
        detail = f"timeline {page.timeline} in a segment named for timeline {name_timeline}"
        return DamageKind.WRONG_TIMELINE, f"first page: {detail}"
    return None
