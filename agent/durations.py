"""Durations as people write them in configuration and on command lines: 15s, 5m, 1h30m, 7d."""

from __future__ import annotations

import re
from typing import Final

from parsers.sentences import tr

_UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)", re.ASCII)
_BARE: Final = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_SPELT: Final = re.compile(
    r"(\d+(?:\.\d+)?)(?:(s)ec(?:ond)?s?|(m)in(?:ute)?s?|(h)(?:ou)?rs?|(d)ays?|(w)eeks?)",
    re.ASCII | re.IGNORECASE,
)
SECONDS_MAX: Final = 3_153_600_000  # a century: no clock has to add more to an instant


def parse_duration(text: str) -> float:
    """Give seconds. Raises ValueError that says what was expected.

    A number without a unit is refused: whoever wrote it may have meant minutes.

    >>> parse_duration("1h30m")
    5400.0
    """
    compact = text.replace(" ", "")
    parts = _PART.findall(compact)
    if not parts or "".join(number + unit for number, unit in parts) != compact:
        raise ValueError(_refusal(text, compact))
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if seconds > SECONDS_MAX:
        raise ValueError(tr("{text!r} is longer than a century", text=text))
    return seconds


def _refusal(text: str, compact: str) -> str:
    if _BARE.fullmatch(compact):
        return tr(
            "{text!r} has no unit: write {compact}s, {compact}m, {compact}h or {compact}d",
            text=text,
            compact=compact,
        )
    if spelt := _SPELT.fullmatch(compact):
        meant = "".join(filter(None, spelt.groups())).lower()
        return tr("{text!r} is not a duration: did you mean {meant}?", text=text, meant=meant)
    return tr("{text!r} is not a duration: write 15s, 5m, 1h30m or 7d", text=text)


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
