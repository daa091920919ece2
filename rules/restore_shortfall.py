"""What PostgreSQL does not say: the end of WAL that was a gap in the archive.

Without a target, recovery takes the first file it cannot get for the end, promotes, and reports
nothing. The archive's names tell: when it holds later segments of the same timeline, the server
opened short of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from rules.restore_summary import FAILED, PROMOTED, Summary

_TIMELINE_DIGITS: Final = 8
_CHECK: Final = "pitr-check --archive DIR --backup DIR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """The segments that the archive holds, sorted by name."""

    archived: Sequence[str]

    def beyond(self, summary: Summary) -> tuple[str, tuple[str, ...]] | None:
        """The segment that was not there and the later ones that are; None without a gap."""
        wanted = [file for file in summary.missing_files if not file.endswith(".history")]
        if not wanted:
            return None
        missing = wanted[-1]
        timeline = missing[:_TIMELINE_DIGITS]
        later = tuple(
            name for name in self.archived if name.startswith(timeline) and name > missing
        )
        return (missing, later) if later and missing not in self.archived else None


def judge_shortfall(summary: Summary, shortfall: Shortfall | None) -> Summary:
    """Add to a summary what the archive shows."""
    if shortfall is None or summary.outcome not in (PROMOTED, FAILED):
        return summary
    if summary.outcome == PROMOTED and summary.stop.kind != "end_of_wal":
        return summary
    gap = shortfall.beyond(summary)
    if gap is None:
        return summary
    missing, later = gap
    cause = (
        f"the end of WAL was a gap: the archive lacks {missing} and holds {len(later)} later "
        f"segment(s), up to {later[-1]}"
    )
    return replace(summary, cause=cause, next_command=_CHECK, ended_short=True)
