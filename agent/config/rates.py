"""Sizes and rates as people write them: 1GB, 500MiB; 50MB/s, 20MiB/s, 512kB/s."""

from __future__ import annotations

import re
from typing import Final

from parsers.sentences import tr

_UNITS: Final = {
    "B": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3,
    "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
}  # fmt: skip
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(B|kB|MB|GB|KiB|MiB|GiB)")
_RATE: Final = re.compile(rf"{_SIZE.pattern}/s")


def parse_size(text: str) -> int:
    """Give bytes. Raises ValueError that says what was expected.

    >>> parse_size("1GiB")
    1073741824
    """
    found = _SIZE.fullmatch(text.strip())
    size = int(float(found[1]) * _UNITS[found[2]]) if found else 0
    if not size:
        raise ValueError(tr("{text!r} is not a size: write 1GB, 500MiB or 64MB", text=text))
    return size


def parse_rate(text: str) -> float:
    """Give bytes a second. Raises ValueError that says what was expected.

    >>> parse_rate("50MB/s")
    50000000.0
    """
    found = _RATE.fullmatch(text.strip())
    rate = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if not rate:
        raise ValueError(tr("{text!r} is not a rate: write 50MB/s, 20MiB/s or 512kB/s", text=text))
    return rate
