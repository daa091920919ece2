"""How far replay is, how fast, and how long it still takes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

_WINDOW_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One reading. LSNs are ints; None is unknown."""

    start_lsn: int | None = None
    replayed_lsn: int | None = None
    goal_lsn: int | None = None
    goal: str | None = None  # what the goal is: "the target", "the end of the archive"
    bytes_per_second: float | None = None

    @property
    def fraction(self) -> float | None:
        """Done, from 0 to 1."""
        if self.start_lsn is None or self.replayed_lsn is None or self.goal_lsn is None:
            return None
        whole = self.goal_lsn - self.start_lsn
        if whole <= 0:
            return None
        return min(1.0, max(0.0, (self.replayed_lsn - self.start_lsn) / whole))

    @property
    def eta_seconds(self) -> float | None:
        """Still to go at the present pace."""
        if self.replayed_lsn is None or self.goal_lsn is None or not self.bytes_per_second:
            return None
        return max(0.0, self.goal_lsn - self.replayed_lsn) / self.bytes_per_second


class Pace:
    """Replay positions over the last minute."""

    def __init__(self) -> None:
        self._readings: deque[tuple[float, int]] = deque()

    def add(self, seconds: float, lsn: int) -> None:
        """Take a reading at `seconds` of a monotonic clock."""
        if self._readings and lsn < self._readings[-1][1]:
            self._readings.clear()  # another attempt
        self._readings.append((seconds, lsn))
        while seconds - self._readings[0][0] > _WINDOW_SECONDS:
            self._readings.popleft()

    @property
    def bytes_per_second(self) -> float | None:
        """None until two readings are a second apart."""
        if len(self._readings) < 2:
            return None
        (began, first), (ended, last) = self._readings[0], self._readings[-1]
        return (last - first) / (ended - began) if ended - began >= 1 else None
