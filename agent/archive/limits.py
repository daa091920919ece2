"""How much the reading of segments may cost."""

from __future__ import annotations

from typing import Final

from parsers.values import dataclass

REVERIFY_SECONDS: Final = 7 * 86400.0  # the age at which a file is read again, by default


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much reading may cost."""

    bytes_per_second: float | None = None  # of files as they are stored; None: unlimited
    reverify_seconds: float | None = None  # the age at which a file is read again; None: never


NO_LIMITS: Final = Limits()
