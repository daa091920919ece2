"""What `pitr-watch` was asked for."""

from __future__ import annotations

from datetime import tzinfo
from pathlib import Path

from parsers.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line."""

    pgdata: Path | None
    log: Path | None
    dsn: str | None
    archive: str | None
    once: bool
    format: str
    timeout_seconds: float | None
    prefix: str | None
    zone: tzinfo | None
    localedir: Path | None
