"""What PostgreSQL does not say: the end of WAL that was none.

Without a target, recovery takes the first record that it cannot read for the end, promotes, and
reports nothing; with one it fails, and does not say of what. The archive's names tell: when it
holds later segments of the same timeline, there was a gap, or damage.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from parsers.segment import segment_name
from rules.restore_summary import FAILED, PROMOTED, Summary

_TIMELINE_DIGITS: Final = 8
_SEGMENT: Final = re.compile(r"[0-9A-F]{24}")
_CHECK: Final = "pitr-check --archive DIR --backup DIR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """The segments that the archive holds, sorted by name."""

    archived: Sequence[str]
    segment_size: int | None = None  # bytes; None: not known

    def beyond(self, summary: Summary) -> tuple[str, tuple[str, ...]] | None:
        """The segment that was not there and the later ones that are; None without a gap."""
        wanted = [file for file in summary.missing_files if not file.endswith(".history")]
        if not wanted:
            return None
        missing = wanted[-1]
        later = self._later(missing)
        return (missing, later) if later and missing not in self.archived else None

    def unread(self, summary: Summary) -> tuple[str, tuple[str, ...]] | None:
        """The segment in which a record did not read, and the later ones that recovery left."""
        segment = self._unread_segment(summary)
        later = self._later(segment) if segment is not None else ()
        return (segment, later) if segment is not None and later else None

    def _unread_segment(self, summary: Summary) -> str | None:
        """Where the record is that did not read: a page's complaint names the file."""
        event = summary.wal_end
        if event is None or not summary.restored_segments:
            return None
        file, lsn = event.text("file"), event.lsn()
        if file is not None and _SEGMENT.fullmatch(file):
            return file
        if lsn is None or self.segment_size is None:
            return None
        timeline = int(summary.restored_segments[-1][:_TIMELINE_DIGITS], 16)
        return segment_name(timeline, lsn // self.segment_size, self.segment_size)

    def _later(self, than: str) -> tuple[str, ...]:
        timeline = than[:_TIMELINE_DIGITS]
        return tuple(name for name in self.archived if name.startswith(timeline) and name > than)


def judge_shortfall(summary: Summary, shortfall: Shortfall | None) -> Summary:
    """Add to a summary what the archive shows."""
    if shortfall is None or summary.outcome not in (PROMOTED, FAILED):
        return summary
    if summary.outcome == PROMOTED and summary.stop.kind != "end_of_wal":
        return summary
    gap = shortfall.beyond(summary)
    if gap is not None:
        missing, later = gap
        return _short(
            summary, f"the end of WAL was a gap: the archive lacks {missing} and holds", later
        )
    damage = shortfall.unread(summary)
    if damage is not None:
        segment, later = damage
        return _short(
            summary,
            f"the end of WAL was damage in {segment} ({_said(summary)}): the archive holds",
            later,
        )
    return summary


def _said(summary: Summary) -> str:
    return summary.wal_end.message if summary.wal_end is not None else ""


def _short(summary: Summary, cause: str, later: tuple[str, ...]) -> Summary:
    return replace(
        summary,
        cause=f"{cause} {len(later)} later segment(s), up to {later[-1]}",
        next_command=_CHECK,
        ended_short=True,
    )
