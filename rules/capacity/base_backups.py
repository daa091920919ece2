"""Base backups that are being taken: how far, how fast, how long still.

The total is the server's estimate at the beginning, without the tablespaces' growth since and
without WAL (the manual's "Base Backup Progress Reporting"): more may be streamed in the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from parsers.sentences import joined, tr
from parsers.values import dataclass
from rules.model.counted import sized, timed
from rules.model.facts import RunningBackup, RunningBackupsFacts

STREAMING: Final = "streaming database files"
_RATE_SPAN: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupProgress:
    """One of them. What cannot be told is None."""

    pid: int
    phase: str
    streamed_bytes: int
    total_bytes: int | None
    bytes_per_second: float | None  # None: it was seen once, or does not stream
    seconds_left: float | None

    @property
    def in_words(self) -> str:
        """For a person."""
        pace, left = self.bytes_per_second, self.seconds_left
        streamed = sized(self.streamed_bytes)
        if self.total_bytes:
            total = sized(self.total_bytes)
            streamed = tr("{streamed} of {total}", streamed=streamed, total=total)
        parts = [tr("{phase}: {streamed}", phase=self.phase, streamed=streamed)]
        if pace is not None:
            parts.append(tr("{rate}/s", rate=sized(pace)))
        if left is not None:
            parts.append(tr("about {left} to go", left=timed(left)))
        return joined(", ", parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseBackupsFacts:
    """All that run."""

    running: tuple[BackupProgress, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupTrail:
    """What polls saw of them, oldest first."""

    seen: tuple[RunningBackupsFacts, ...] = ()

    def follow(self, found: RunningBackupsFacts) -> BackupTrail:
        """Add a poll; a clock that was set back starts over."""
        if self.seen and self.seen[-1] is found:
            return self
        kept = self.seen if self.seen and self.seen[-1].read_at < found.read_at else ()
        recent = tuple(each for each in kept if found.read_at - each.read_at <= _RATE_SPAN)
        return BackupTrail(seen=(*recent, found))

    def progress(self) -> BaseBackupsFacts:
        """As of the last poll."""
        last = self.seen[-1].backups if self.seen else ()
        return BaseBackupsFacts(running=tuple(map(self._one, last)))

    def _one(self, now: RunningBackup) -> BackupProgress:
        points = list(self._points(now.pid))
        pace = None
        if now.phase == STREAMING and len(points) > 1:
            (first_at, first), (last_at, last) = points[0], points[-1]
            pace = (last - first) / (last_at - first_at).total_seconds()
        left = None
        if pace and now.total_bytes and now.total_bytes >= now.streamed_bytes:
            left = (now.total_bytes - now.streamed_bytes) / pace
        return BackupProgress(
            pid=now.pid,
            phase=now.phase,
            streamed_bytes=now.streamed_bytes,
            total_bytes=now.total_bytes,
            bytes_per_second=pace,
            seconds_left=left,
        )

    def _points(self, pid: int) -> Iterator[tuple[datetime, int]]:
        """Of one backup, while it streamed: a pid that begins anew is another."""
        points: list[tuple[datetime, int]] = []
        for seen in self.seen:
            for each in seen.backups:
                if each.pid == pid and each.phase == STREAMING:
                    if points and each.streamed_bytes < points[-1][1]:
                        points.clear()
                    points.append((seen.read_at, each.streamed_bytes))
        yield from points
