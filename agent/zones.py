"""Time zones by name."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


def find_zone(name: str) -> ZoneInfo | None:
    """A time zone by name in any case, None for one that this machine does not know."""
    from zoneinfo import ZoneInfo  # looks for where the zones are: for a time that names one

    for each in (name, _names().get(name.casefold(), name)):
        try:
            return ZoneInfo(each)
        except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError
            continue
    return None


@functools.cache
def _names() -> dict[str, str]:
    from zoneinfo import available_timezones

    return {name.casefold(): name for name in available_timezones()}
