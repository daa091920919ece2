"""Time zones by name."""

from __future__ import annotations

import functools
from zoneinfo import ZoneInfo, available_timezones


def find_zone(name: str) -> ZoneInfo | None:
    """A time zone by name in any case, None for one that this machine does not know."""
    for each in (name, _names().get(name.casefold(), name)):
        try:
            return ZoneInfo(each)
        except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError
            continue
    return None


@functools.cache
def _names() -> dict[str, str]:
    return {name.casefold(): name for name in available_timezones()}
