"""How much was looked at lately, as part of the verdict's document."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from agent.documents.values import json_time
from rules.drill.coverage import RECENT_DAYS, ReadingCoverage, WindowCoverage


def coverage_document(coverage: ReadingCoverage) -> dict[str, Any]:
    """Every key always there; null is not known."""
    oldest, share = coverage.oldest_read_at, coverage.read_share
    return {
        "days": RECENT_DAYS,
        "segments": coverage.segments_count,
        "segments_read": coverage.read_count,
        "segments_never_read": coverage.never_count,
        "read_share": round(share, 4) if share is not None else None,
        "oldest_read_at": json_time(
            datetime.fromtimestamp(oldest, UTC) if oldest is not None else None
        ),
        "drills": _drills(coverage.drills) if coverage.drills else None,
    }


def _drills(drilled: WindowCoverage) -> dict[str, Any]:
    return {
        "from": json_time(drilled.window.begin),
        "to": json_time(drilled.window.end),
        "days": drilled.days,
        "days_drilled": drilled.drilled_days,
        "drilled_share": round(drilled.drilled_share, 4),
        "never": [
            {"from": json_time(span.begin), "to": json_time(span.end)} for span in drilled.never
        ],
    }
