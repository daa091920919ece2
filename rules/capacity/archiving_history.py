"""How archiving went of late: five quantities in coarse steps, in memory that never grows.

A step holds the worst of its readings (files archived: their rate). A step without a reading holds
nothing: what was not seen is never made up from its neighbours. Steps are short while there is
little to remember and become twice as long whenever `STEPS_MAX` are full, up to a day in all; from
then on the oldest goes. 270 steps of six 8-byte numbers are 14 KiB a cluster: 3 MB for 200.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from math import isnan, nan
from typing import Final

from parsers.values import dataclass

STEPS_MAX: Final = 270
SPAN_SECONDS: Final = 86_400.0
_COARSEST: Final = SPAN_SECONDS / STEPS_MAX
_FINEST: Final = _COARSEST / 64  # 5 s
# With fewer than two readings to expect in a step, a late one would leave a hole.
_READINGS_A_STEP: Final = 2
# A count that is older than so many polls says nothing of when its files were archived.
_PATIENCE_POLLS: Final = 4

READY_FILES, WAL_BYTES = "ready_files", "wal_bytes"
EXPOSURE_BYTES, EXPOSURE_SECONDS = "exposure_bytes", "exposure_seconds"
ARCHIVED_PER_MINUTE: Final = "archived_per_minute"
_WORST: Final = (READY_FILES, EXPOSURE_BYTES, EXPOSURE_SECONDS, WAL_BYTES)
QUANTITIES: Final = (ARCHIVED_PER_MINUTE, *_WORST)
_ARCHIVED, _WATCHED = "archived", "watched"  # files, and the seconds in which they were counted
_SUMMED: Final = (_ARCHIVED, _WATCHED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One quantity over time, the oldest step first."""

    quantity: str  # one of QUANTITIES
    step_seconds: float
    ends_at: datetime  # the end of the last step; it may lie ahead
    values: tuple[float | None, ...]  # None: in that step it was not known

    @property
    def seen(self) -> tuple[float, ...]:
        """The values that are known."""
        return tuple(value for value in self.values if value is not None)

    @property
    def span_seconds(self) -> float:
        return self.step_seconds * len(self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Count:
    at: float
    files: int
    reset_at: datetime | None


class ArchivingHistory:
    """One cluster's. Instants are aware; readings come in the order of time."""

    def __init__(self, poll_seconds: float) -> None:
        self._poll_seconds = poll_seconds
        self._step = _first_step(_READINGS_A_STEP * poll_seconds)
        self._first = 0  # number of the first step kept, counted from the epoch
        self._kept = {name: array("d") for name in (*_SUMMED, *_WORST)}
        self._count: _Count | None = None

    def see(self, quantity: str, at: datetime, value: float) -> None:
        """Take a reading of any quantity but ARCHIVED_PER_MINUTE."""
        self._go_to(at)
        kept = self._kept[quantity]
        kept[-1] = _worst((kept[-1], value))

    def see_archived(self, at: datetime, files: int, reset_at: datetime | None) -> None:
        """Take a reading of the archiver's counter, and when it was last set to zero."""
        before, self._count = self._count, _Count(at=at.timestamp(), files=files, reset_at=reset_at)
        if before is None or before.reset_at != reset_at or files < before.files:
            return
        seconds = self._count.at - before.at
        if not 0 < seconds <= _PATIENCE_POLLS * self._poll_seconds:
            return
        self._go_to(at)
        for name, more in ((_ARCHIVED, files - before.files), (_WATCHED, seconds)):
            self._kept[name][-1] = _sum((self._kept[name][-1], more))

    def series(self, now: datetime) -> tuple[Series, ...]:
        """All quantities up to `now`, in the order of QUANTITIES; none before the first reading."""
        if not self._length:
            return ()
        until = max(self._number(now), self._first + self._length - 1)
        missing = min(until - self._first - self._length + 1, STEPS_MAX)
        return tuple(self._one(quantity, until, missing) for quantity in QUANTITIES)

    def _one(self, quantity: str, until: int, missing: int) -> Series:
        values = [*self._values(quantity), *([nan] * missing)][-STEPS_MAX:]
        if isnan(values[-1]):  # it has only begun
            values, until = values[:-1], until - 1
        return Series(
            quantity=quantity,
            step_seconds=self._step,
            ends_at=datetime.fromtimestamp((until + 1) * self._step, UTC),
            values=tuple(None if isnan(value) else value for value in values),
        )

    def _values(self, quantity: str) -> Sequence[float]:
        if quantity != ARCHIVED_PER_MINUTE:
            return self._kept[quantity]
        files, seconds = self._kept[_ARCHIVED], self._kept[_WATCHED]
        rates = [60 * f / s for f, s in zip(files, seconds, strict=True)]
        if seconds[-1] < self._step / 2 and not isnan(sum(seconds[-2:])):
            # It has only begun: two polls between two segments would look like a standstill.
            rates[-1] = 60 * sum(files[-2:]) / sum(seconds[-2:])
        return rates

    @property
    def _length(self) -> int:
        return len(self._kept[READY_FILES])

    def _number(self, at: datetime) -> int:
        return int(at.timestamp() // self._step)

    def _go_to(self, at: datetime) -> None:
        """Make the step of this instant the last one."""
        if not self._length:
            self._first = self._number(at)
        while self._step < _COARSEST and self._number(at) - self._first >= STEPS_MAX:
            self._coarsen()
        number = self._number(at)
        if number < self._first or number - self._first >= self._length + STEPS_MAX:
            self._forget(self._length)  # all of it: the clock was set, or nothing was read for long
            self._first = number
        more = number - self._first + 1 - self._length
        for kept in self._kept.values():
            kept.extend([nan] * more)
            if more < 0:  # the clock was set back: what lies ahead was never
                del kept[more:]
        self._forget(max(0, self._length - STEPS_MAX))

    def _forget(self, oldest: int) -> None:
        for kept in self._kept.values():
            del kept[:oldest]
        self._first += oldest

    def _coarsen(self) -> None:
        """Join the steps two by two."""
        lead = [nan] * (self._first % 2)
        for name, kept in self._kept.items():
            join = _sum if name in _SUMMED else _worst
            padded = [*lead, *kept, nan]
            self._kept[name] = array(
                "d", (join(padded[i : i + 2]) for i in range(0, len(padded) - 1, 2))
            )
        self._first //= 2
        self._step *= 2


def _first_step(wanted_seconds: float) -> float:
    """The shortest of the steps that is long enough; a rare poll has its own."""
    step = _FINEST
    while step < min(wanted_seconds, _COARSEST):
        step *= 2
    return max(step, wanted_seconds)


def _sum(values: Iterable[float]) -> float:
    seen = [value for value in values if not isnan(value)]
    return sum(seen) if seen else nan


def _worst(values: Iterable[float]) -> float:
    return max((value for value in values if not isnan(value)), default=nan)
