"""Every page header of a segment at once, and the first that the server would refuse.

Follows XLogReaderValidatePageHeader in src/backend/access/transam/xlogreader.c: magic, flags,
address, and timelines that never go back. Stricter in one point, as recovery is: no page may come
from a later timeline than the segment's name.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from parsers.lsn import format_lsn
from parsers.sentences import tr
from parsers.wal.damage import Damage, DamageKind
from parsers.wal.page import (
    MAJOR_BY_MAGIC,
    SHORT_HEADER_BYTES,
    XLP_FIRST_IS_CONTRECORD,
    XLP_LONG_HEADER,
    LongPageHeader,
    all_flags,
    overwrite_flag,
)
from parsers.wal.stream import Geometry

_HEADER: Final = np.dtype(
    [("magic", "<u2"), ("info", "<u2"), ("timeline", "<u4"), ("lsn", "<u8"),
     ("remaining", "<u4"), ("padding", "<u4")]
)  # fmt: skip
Mask = npt.NDArray[np.bool_]


class PageTable(NamedTuple):
    """The headers of a segment's pages, as columns; `good` of them may be read from the start."""

    headers: npt.NDArray[np.void]
    good: int  # pages before the first one that the server would refuse
    fault: Damage | None  # what is wrong with page `good`; None when all are good

    def carries(self, page: int, last: int) -> npt.NDArray[np.int64]:
        """Bytes each page says it continues from before; -1 without the contrecord flag."""
        headers = self.headers[page:last]
        flagged = headers["info"] & XLP_FIRST_IS_CONTRECORD != 0
        return np.where(flagged, headers["remaining"].astype(np.int64), -1)

    def overwrites(self, major: int) -> list[int]:
        """Good pages, the first apart, where a record restarts after an abandoned one."""
        flagged = self.headers["info"][1 : self.good] & overwrite_flag(major) != 0
        return [int(page) + 1 for page in np.flatnonzero(flagged)]


def read_pages(
    buffer: memoryview, geometry: Geometry, header: LongPageHeader, name_timeline: int
) -> PageTable:
    """Read and judge all page headers; the segment's own long header was judged before."""
    size = geometry.page_size
    pages = np.frombuffer(buffer[: geometry.pages * size], np.uint8).reshape(-1, size)
    headers = pages[:, :SHORT_HEADER_BYTES].copy().view(_HEADER)[:, 0]
    checks = _checks(headers, geometry, header, name_timeline)
    bad = np.logical_or.reduce([mask for mask, _, _ in checks])
    if not bad.any():
        return PageTable(headers, geometry.pages, None)
    first = int(bad.argmax())
    kind, template = next((kind, text) for mask, kind, text in checks if mask[first])
    fields = {name: int(headers[name][first]) for name in ("magic", "info", "timeline")}
    detail = tr(
        template, **fields, lsn=format_lsn(int(headers["lsn"][first])), name_timeline=name_timeline
    )
    fault = Damage(
        kind=kind, lsn=geometry.page_lsn(first), detail=tr("page: {detail}", detail=detail)
    )
    return PageTable(headers, first, fault)


def _checks(
    headers: npt.NDArray[np.void], geometry: Geometry, header: LongPageHeader, name_timeline: int
) -> list[tuple[Mask, DamageKind, str]]:
    """(pages that fail, kind, what to say) in the server's order."""
    index = np.arange(len(headers), dtype=np.uint64)
    expected = index * np.uint64(geometry.page_size) + np.uint64(geometry.start_lsn)
    info, timelines = headers["info"], headers["timeline"]
    latest = np.maximum.accumulate(timelines)
    unknown = np.uint16(0xFFFF & ~all_flags(header.major))
    return [
        (_zero(headers), DamageKind.ZEROED, tr("all zeros")),
        (headers["magic"] != header.page.magic, DamageKind.BAD_HEADER, tr("magic {magic:04X}")),
        (info & unknown != 0, DamageKind.BAD_HEADER, tr("flags {info:04X}")),
        ((info & XLP_LONG_HEADER != 0) & (index > 0), DamageKind.BAD_HEADER,
         tr("a segment's long header on an inner page")),
        (headers["lsn"] != expected, DamageKind.WRONG_ADDRESS, tr("says it belongs at {lsn}")),
        (timelines > name_timeline, DamageKind.WRONG_TIMELINE,
         tr("timeline {timeline} in a segment named for timeline {name_timeline}")),
        (timelines < latest, DamageKind.WRONG_TIMELINE,
         tr("timeline {timeline} after a later one")),
    ]  # fmt: skip


def _zero(headers: npt.NDArray[np.void]) -> Mask:
    fields = [headers[name] == 0 for name in _HEADER.names or ()]
    return np.asarray(np.logical_and.reduce(fields), np.bool_)


def rest_is_stale(table: PageTable, geometry: Geometry, first: int) -> bool:
    """Tell whether all pages from `first` on are zero or left over from an older segment.

    That is how a segment looks after the end of the log: files are recycled under later names,
    and their old pages keep their older addresses.
    """
    headers = table.headers[first:]
    older = np.isin(headers["magic"], list(MAJOR_BY_MAGIC)) & (
        headers["lsn"] < np.uint64(geometry.start_lsn)
    )
    return bool((older | _zero(headers)).all())
