"""What one look at one source gave."""

from __future__ import annotations

from parsers.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A line for a person, and what to type where it cannot be read."""

    source: str  # server, archive /backup/wal, ...
    said: str
    works: bool
    to_type: tuple[str, ...] = ()  # lines, in their order
