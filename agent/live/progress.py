"""How far replay is, how fast, and how long it still takes."""

from __future__ import annotations

from collections import deque
from typing import Final

from agent.durations import format_duration
from parsers.sentences import tr
from parsers.values import dataclass

_WINDOWS: Final = (15.0, 60.0, 600.0)  # seconds; the pace over each bounds the time to go
_MAIN_WINDOW: Final = 60.0  # the pace that is shown
_ALIKE: Final = 1.3  # two estimates this near are told as one
_ALIKE_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreProgress:
    """One reading. LSNs are ints; None is unknown."""

    start_lsn: int | None = None
    replayed_lsn: int | None = None
    goal_lsn: int | None = None
    goal: str | None = None  # what the goal is: "the predicted stop", "the end of the archive"
    bytes_per_second: float | None = None  # over the last minute
    slowest: float | None = None  # bytes per second of the slowest window
    fastest: float | None = None

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
        """Still to go at the pace of the last minute."""
        if self.replayed_lsn is None or self.goal_lsn is None or not self.bytes_per_second:
            return None
        return max(0.0, self.goal_lsn - self.replayed_lsn) / self.bytes_per_second

    @property
    def eta_bounds_seconds(self) -> tuple[float, float | None] | None:
        """Still to go: at the fastest pace seen and at the slowest, which is None at a standstill.

        The windows agree the better the longer the same pace is seen: the estimate narrows.
        """
        if self.replayed_lsn is None or self.goal_lsn is None or not self.fastest:
            return None
        left = max(0.0, self.goal_lsn - self.replayed_lsn)
        return left / self.fastest, left / self.slowest if self.slowest else None

    @property
    def eta(self) -> str | None:
        """The same for a person."""
        if self.eta_bounds_seconds is None:
            return None
        low, high = self.eta_bounds_seconds
        if high is None:
            return tr("{low} or more to go", low=_rough(low))
        if high <= low * _ALIKE or high - low < _ALIKE_SECONDS:
            return tr("about {high} to go", high=_rough(high))
        return tr("{low} to {high} to go", low=_rough(low), high=_rough(high))


def _rough(seconds: float) -> str:
    return format_duration(float(round(seconds)))


class Pace:
    """Replay positions over the last ten minutes."""

    def __init__(self) -> None:
        self._readings: deque[tuple[float, int]] = deque()

    def add(self, seconds: float, lsn: int) -> None:
        """Take a reading at `seconds` of a monotonic clock."""
        if self._readings and lsn < self._readings[-1][1]:
            self._readings.clear()  # another attempt
        self._readings.append((seconds, lsn))
        while seconds - self._readings[0][0] > _WINDOWS[-1]:
            self._readings.popleft()

    @property
    def bytes_per_second(self) -> float | None:
        """Over the last minute; None until two readings are a second apart."""
        return self._over(_MAIN_WINDOW)

    @property
    def range(self) -> tuple[float | None, float | None]:
        """The slowest and the fastest of the windows' paces."""
        paces = [pace for each in _WINDOWS if (pace := self._over(each)) is not None]
        return (min(paces), max(paces)) if paces else (None, None)

    def _over(self, window: float) -> float | None:
        if not self._readings:
            return None
        ended, last = self._readings[-1]
        began, first = next(each for each in self._readings if ended - each[0] <= window)
        return (last - first) / (ended - began) if ended - began >= 1 else None
