"""Durations as people write them in configuration and on command lines: 15s, 5m, 1h30m, 7d."""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")


def parse_duration(text: str) -> float:
    """Give seconds. Raises ValueError that says what was expected.

    >>> parse_duration("1h30m")
    5400.0
    """
    compact = text.replace(" ", "")
    parts = _PART.findall(compact)
    if not parts or "".join(number + unit for number, unit in parts) != compact:
        raise ValueError(f"{text!r} is not a duration: write 15s, 5m, 1h30m or 7d")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def format_duration(seconds: float) -> str:
    """Write seconds for a person, in at most two units.

    >>> format_duration(5400)
    '1h30m'
    """
    if seconds < 60:
        return f"{seconds:.1f}s" if seconds < 10 and seconds % 1 else f"{seconds:.0f}s"
    whole = round(seconds)
    words: list[str] = []
    for unit in ("d", "h", "m", "s"):
        count, whole = divmod(whole, int(_UNITS[unit]))
        if count:
            words.append(f"{count}{unit}")
    return "".join(words[:2])
