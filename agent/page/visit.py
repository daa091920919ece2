"""One visit to the page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from parsers.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What a visitor asked for, and when. `query` is the part of the address after `?`."""

    now: datetime
    query: Mapping[str, str]
    client: str = ""  # whose questions wait behind each other
