"""The metrics of coverage: how much of the archive was read, and of the window drilled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rules.drill.coverage import RECENT_DAYS, ReadingCoverage

# Name, kind, labels after `cluster`, help.
COVERAGE_METRICS: Final = (
    (
        "pitr_coverage_read_ratio",
        "gauge",
        (),
        f"Share of the archived WAL that was read in the last {RECENT_DAYS} days.",
    ),
    (
        "pitr_coverage_oldest_read_timestamp_seconds",
        "gauge",
        (),
        "When that archived segment was read which was not read for the longest.",
    ),
    (
        "pitr_coverage_drilled_ratio",
        "gauge",
        (),
        "Share of the window's days to which a drill that succeeded went.",
    ),
)

Row = tuple[str, tuple[str, ...], float | None]


def coverage_rows(coverage: ReadingCoverage) -> Iterator[Row]:
    yield "pitr_coverage_read_ratio", (), coverage.read_share
    yield "pitr_coverage_oldest_read_timestamp_seconds", (), coverage.oldest_read_at
    drills = coverage.drills
    yield "pitr_coverage_drilled_ratio", (), drills.drilled_share if drills else None
