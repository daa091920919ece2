"""A recovery target with its value read, as the server reads recovery_target_*.

Follows check_recovery_target_time, _xid, _lsn and _name in xlogrecovery.c (guc_tables.c's check
hooks). Times are read as the types.timestamptz input function does for ISO 8601: without a zone
they are local to the restored server.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final, Literal

from parsers.errors import ParseError
from parsers.lsn import parse_lsn
from parsers.wal_facts import POSTGRES_EPOCH
from rules.target import Target

GoalType = Literal["none", "time", "lsn", "xid", "name", "immediate"]
Action = Literal["promote", "pause", "shutdown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A target whose value recovery can compare with records. One of the values is set, by type."""

    type: GoalType = "none"
    time_us: int | None = None  # TimestampTz
    lsn: int | None = None
    xid: int | None = None  # 32 bits
    name: str | None = None
    timeline: int | Literal["latest", "current"] = "latest"
    inclusive: bool = True
    action: Action = "promote"


FindZone = Callable[[str], tzinfo | None]


def read_goal(target: Target, *, zone: tzinfo = UTC, find_zone: FindZone | None = None) -> Goal:
    """Read a target's value and timeline. `zone` is the restored server's TimeZone.

    `find_zone` gives the zone of a name such as Europe/Madrid, None for an unknown one. Raises
    ParseError for what the server refuses, and for what it would silently misunderstand.
    """
    value = target.value or ""
    return Goal(
        type=_one_of(target.type, ("none", "time", "lsn", "xid", "name", "immediate")),  # type: ignore[arg-type]
        time_us=read_time(value, zone, find_zone) if target.type == "time" else None,
        lsn=parse_lsn(value) if target.type == "lsn" else None,
        xid=_read_xid(value) if target.type == "xid" else None,
        name=_read_name(value) if target.type == "name" else None,
        timeline=_read_timeline(target.timeline),
        inclusive=target.inclusive,
        action=_one_of(target.action, ("promote", "pause", "shutdown")),  # type: ignore[arg-type]
    )


def _read_xid(text: str) -> int:
    """A 64-bit xid is cut to 32 bits, as the server does."""
    number = _read_number(text)
    if number is None or number >= 1 << 64:
        raise ParseError(f"not a transaction id: {text!r}")
    return number & 0xFFFFFFFF


def _one_of(word: str, words: tuple[str, ...]) -> str:
    if word not in words:
        raise ParseError(f"{word!r} is none of {', '.join(words)}")
    return word


def _read_number(text: str) -> int | None:
    """Read a number as strtoul(text, NULL, 0): 0x is hexadecimal, a leading 0 octal."""
    if re.fullmatch(r"0[xX][0-9a-fA-F]+", text):
        return int(text, 16)
    if re.fullmatch(r"0[0-7]+", text):
        return int(text, 8)
    if re.fullmatch(r"0|[1-9][0-9]*", text):
        return int(text)
    return None


def _read_timeline(text: str) -> int | Literal["latest", "current"]:
    if text == "latest":
        return "latest"
    if text == "current":
        return "current"
    number = _read_number(text)
    if number is None or number >= 1 << 32:
        raise ParseError(f"timeline {text!r}: write latest, current or a number of 32 bits")
    return number


def _read_name(text: str) -> str:
    if not 0 < len(text.encode()) < 64:
        raise ParseError(f"a restore point's name has 1 to 63 bytes, not {len(text.encode())}")
    return text


# -- times ---------------------------------------------------------------------------------------

_TIME: Final = re.compile(
    r"(?P<date>\d{4,}-\d{1,2}-\d{1,2})"
    r"(?:[T ]\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?P<fraction>[.,]\d*)?)?)?"
    r"\s*(?P<zone>Z|[+-]\d{1,2}(?::?\d{2}(?::?\d{2})?)?|[A-Za-z][A-Za-z0-9_/+-]*)?"
)


# timezonesets/Default: the server knows these first as abbreviations, the same all the year; the
# zones of these names have a summer.
_ABBREVIATIONS: Final = {"WET": 0, "CET": 1, "MET": 1, "EET": 2}


def read_time(text: str, zone: tzinfo, find_zone: FindZone | None = None) -> int:
    """Read a time as TimestampTz, in microseconds since 2000-01-01 UTC.

    >>> read_time("2000-01-01 01:00:00.5+01", UTC)
    500000
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise ParseError(f"not a time: {text!r} (write 2025-07-08 08:00:00+00)")
    try:
        year, month, day = map(int, match["date"].split("-"))
        clock = (int(match["hour"] or 0), int(match["minute"] or 0), int(match["second"] or 0))
        local = datetime(year, month, day) + _since_midnight(*clock)
        there = _zone_of(match["zone"], zone, find_zone)
        moment = local.replace(tzinfo=there, fold=_fold(local, there)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ParseError(f"not a time: {text!r} ({error})") from None
    fraction_us = round(float("0." + (match["fraction"] or ".")[1:] + "0") * 1_000_000)
    return (moment - POSTGRES_EPOCH) // timedelta(microseconds=1) + fraction_us


def has_zone(text: str) -> bool:
    """Tell whether a time is written with its zone: without, the restored server's counts."""
    match = _TIME.fullmatch(text.strip())
    return match is not None and match["zone"] is not None


def _since_midnight(hour: int, minute: int, second: int) -> timedelta:
    """24:00:00 and a 60th second are legal in PostgreSQL's input."""
    if minute > 59 or second > 60 or (hour, minute, second) > (24, 0, 0):
        raise ValueError("no such time of day")
    return timedelta(hours=hour, minutes=minute, seconds=second)


def _zone_of(text: str | None, zone: tzinfo, find_zone: FindZone | None) -> tzinfo:
    if text is None:
        return zone
    if text[0] in "+-":
        digits = text[1:].replace(":", "")
        digits = digits.zfill(len(digits) + len(digits) % 2)
        parts = [int(digits[at : at + 2]) for at in range(0, len(digits), 2)]
        offset = timedelta(**dict(zip(("hours", "minutes", "seconds"), parts, strict=False)))
        return timezone(offset if text[0] == "+" else -offset)
    if text.upper() in ("Z", "UTC", "GMT"):
        return UTC
    if (hours := _ABBREVIATIONS.get(text.upper())) is not None:
        return timezone(timedelta(hours=hours))
    found = find_zone(text) if find_zone else None
    if found is None:
        raise ValueError(f"unknown zone {text}")
    return found


def _fold(local: datetime, zone: tzinfo) -> int:
    """DetermineTimeZoneOffset: of an hour that comes twice, the second; of a skipped one, the old.

    A skipped hour is read with the offset that held before it, which is datetime's fold 0.
    """
    first = zone.utcoffset(local.replace(fold=0)) or timedelta()
    second = zone.utcoffset(local.replace(fold=1)) or timedelta()
    return 1 if first > second else 0
