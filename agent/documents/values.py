"""LSNs and instants as every document of ours writes them; unknown is null."""

from __future__ import annotations

from datetime import UTC, datetime

from parsers.lsn import format_lsn
from parsers.sentences import tr
from parsers.wal.facts import instant
from rules.model.target import Target

_TARGETS = {
    "none": tr("end of WAL"), "immediate": tr("immediate"), "time": tr("time {value}"),
    "xid": tr("xid {value}"), "name": tr("name {value}"), "lsn": tr("lsn {value}"),
}  # fmt: skip


def json_lsn(lsn: int | None) -> str | None:
    return None if lsn is None else format_lsn(lsn)


def json_time(at: datetime | None) -> str | None:
    """ISO 8601 with offset and microseconds."""
    return at.astimezone(UTC).isoformat(timespec="microseconds") if at is not None else None


def json_time_us(time_us: int | None) -> str | None:
    """The same of a TimestampTz."""
    return None if time_us is None else json_time(instant(time_us))


def printed_time(at: datetime) -> str:
    """As PostgreSQL prints it, with all six digits."""
    return f"{at:%Y-%m-%d %H:%M:%S.%f %Z}"


def point(lsn: int, at: datetime | None) -> str:
    """A place in WAL, and its time where that is known, for a person."""
    return f"{format_lsn(lsn)} ({printed_time(at)})" if at else format_lsn(lsn)


def asked_for(target: Target) -> str:
    """A target, for a person."""
    return tr(_TARGETS[target.type], value=target.value)
