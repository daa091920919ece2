"""A reading: what one collector brought back, or why it did not."""

from __future__ import annotations

from datetime import datetime

from parsers.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One attempt of one collector. Either `facts` or `error` is set."""

    collector: str
    started_at: datetime
    duration_seconds: float
    facts: object | None = None
    error: str | None = None  # one line: what, where, what to type next
    unreachable: bool = False  # the source itself gave no answer, whatever was asked

    @property
    def succeeded(self) -> bool:
        return self.error is None
