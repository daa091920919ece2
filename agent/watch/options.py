"""What `pitr-watch` was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path


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
