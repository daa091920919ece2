"""Reading archived segments: scans in worker processes, remembered while a file stays the same.

A scan is local to its segment, so the order is free: newest first, because the newest segments
decide how far a restore gets. What a budget left unread is said, never taken for good.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from parsers.wal_scan import Depth, SegmentScan, scan_segment

from parsers.segment import parse_segment_name
from rules.facts import ArchivedFile

log: Final = logging.getLogger("pitr.scanner")

SETTLE_SECONDS: Final = 5.0  # a file that changed more recently may still be written to


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannedSegment:
    """One segment, read."""

    name: str
    read_at: datetime
    scan: SegmentScan


def read_segment(file: ArchivedFile, name: str, segment_size: int, depth: Depth) -> ScannedSegment:
    """Read and scan one file. Runs in a worker process; an unreadable file is damage."""
    read_at = datetime.now(UTC)
    timeline, number = parse_segment_name(name, segment_size)
    buffer = Path(file.path).read_bytes()
    scan = scan_segment(
        buffer,
        name_timeline=timeline,
        segment_number=number,
        segment_size=segment_size,
        depth=depth,
    )
    return ScannedSegment(name=name, read_at=read_at, scan=scan)
