"""One round of reading: which files, how fast, until when, and what it has brought."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime
from time import monotonic
from typing import Final

from agent.archive.limits import Limits
from agent.archive.readings import SETTLE_SECONDS, Job, SegmentReadings
from parsers.sentences import tr
from parsers.wal.scan import Depth

_BUDGET: Final = tr("not read yet: the time for this round was used up")
_SPARE_SECONDS: Final = 5.0  # how long workers get to finish a segment when the budget is over


class Round:
    """The state of one round."""

    def __init__(
        self,
        readings: SegmentReadings,
        segment_size: int,
        depth: Depth,
        budget_seconds: float | None,
        listed_at: datetime,
        limits: Limits,
    ) -> None:
        self.readings = readings
        self.answered: set[Job] = set()  # looked at in this round, whatever came of it
        self.settled_before = listed_at.timestamp() - SETTLE_SECONDS
        self.segment_size = segment_size
        self.depth = depth
        self._deadline = None if budget_seconds is None else monotonic() + budget_seconds
        self._rate = limits.bytes_per_second
        self._free_at = monotonic()  # when the limit allows the next file to be begun

    @property
    def is_over(self) -> bool:
        return self._deadline is not None and monotonic() > self._deadline

    @property
    def patience_seconds(self) -> float | None:
        """How long to wait for a batch."""
        if self._deadline is None:
            return None
        return max(self._deadline - monotonic(), 0) + _SPARE_SECONDS

    def leave(self, jobs: Iterable[Job]) -> None:
        """Say of files that there was no time for them."""
        for job in jobs:
            if job.name not in self.readings.scans:
                self.readings.unread[job.name] = _BUDGET

    async def pace(self, size_bytes: int) -> None:
        """Wait until a file may be begun: all workers together keep the limit, a file at a time."""
        if self._rate is None:
            return
        await asyncio.sleep(max(self._free_at - monotonic(), 0))
        self._free_at = max(self._free_at, monotonic()) + size_bytes / self._rate
