"""One visit to the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a visitor asked for, and when. `query` is what stands behind `?` in the address."""

    now: datetime
    query: Mapping[str, str]
