"""LSNs and instants as every JSON document of ours writes them; unknown is null."""

from __future__ import annotations

from datetime import UTC, datetime

from parsers.lsn import format_lsn


def json_lsn(lsn: int | None) -> str | None:
    return None if lsn is None else format_lsn(lsn)


def json_time(at: datetime | None) -> str | None:
    """ISO 8601 with offset and microseconds."""
    return at.astimezone(UTC).isoformat(timespec="microseconds") if at is not None else None
