"""Steps of the wall clock, told by the monotonic one."""

from __future__ import annotations

from datetime import datetime, timedelta
from time import monotonic
from typing import Final

_STEP: Final = timedelta(seconds=2)  # what moves more than this against monotonic time was set


def clock_step(now: datetime, then: datetime | None, then_monotonic: float | None) -> timedelta:
    """By how much the wall clock was set since `then`; zero for a clock that merely runs."""
    if then is None or then_monotonic is None:
        return timedelta()
    stepped = now - then - timedelta(seconds=monotonic() - then_monotonic)
    return stepped if abs(stepped) > _STEP else timedelta()
