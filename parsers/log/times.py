"""Times as the server's log writes them.

Two dialects (src/backend/utils/error/elog.c get_formatted_log_time, utils/adt/timestamp.c
timestamptz_to_str): a record's own stamp is local to ``log_timezone`` and ends in an abbreviation
(``MST``) or a numeric one (``-03``, ``+0530``); an instant inside a message carries its offset.
An abbreviation that means one offset everywhere is read; one that means several (``IST``) needs the
server's zone, and stays unknown without it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final

from parsers.values import dataclass

# Hours east of UTC of the abbreviations that every zone of the tz database agrees on since 2020.
_HOURS: Final = {
    "UTC": 0, "GMT": 0, "WET": 0, "Z": 0, "UCT": 0, "Zulu": 0,
    "CET": 1, "MET": 1, "WEST": 1, "WAT": 1, "BST": 1,
    "CEST": 2, "MEST": 2, "EET": 2, "CAT": 2, "SAST": 2,
    "EEST": 3, "EAT": 3, "MSK": 3, "IDT": 3, "PKT": 5, "WIB": 7, "WITA": 8, "AWST": 8, "HKT": 8,
    "JST": 9, "KST": 9, "WIT": 9, "ACST": 9.5, "ACDT": 10.5, "AEST": 10, "ChST": 10, "AEDT": 11,
    "NZST": 12, "NZDT": 13, "NDT": -2.5, "ADT": -3, "NST": -3.5, "AST": -4, "EDT": -4, "EST": -5,
    "MDT": -6, "MST": -7, "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10, "HDT": -9, "SST": -11,
}  # fmt: skip

_LOG_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?) (\S+)\Z")
_OFFSET: Final = re.compile(r"([+-])(\d\d):?(\d\d)?(?::?(\d\d))?\Z")
_INSTANT: Final = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?)([+-]\d\d[:\d]*)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """The server's log_timezone, as far as it is known."""

    log_timezone: tzinfo | None = None


def parse_log_time(text: str, zone: Zone) -> datetime | None:
    """Read ``2025-07-10 12:04:16.558 MST``; None when the abbreviation leaves several instants.

    >>> parse_log_time("2025-07-10 12:04:16.558 MST", Zone()).isoformat()
    '2025-07-10T19:04:16.558000+00:00'
    """
    match = _LOG_TIME.match(text)
    if match is None:
        return None
    try:
        local = datetime.fromisoformat(match[1])
    except ValueError:
        return None
    return resolve(local, match[2], zone)


def resolve(local: datetime, abbreviation: str, zone: Zone) -> datetime | None:
    """Give the instant of a local time whose zone is only an abbreviation, in UTC."""
    if zone.log_timezone is not None:
        for fold in (0, 1):
            candidate = local.replace(tzinfo=zone.log_timezone, fold=fold)
            if candidate.tzname() == abbreviation:
                return candidate.astimezone(UTC)
    offset = known_offset(abbreviation)
    if offset is not None:
        return local.replace(tzinfo=offset).astimezone(UTC)
    if zone.log_timezone is not None:
        return local.replace(tzinfo=zone.log_timezone).astimezone(UTC)
    return None


@lru_cache(maxsize=64)
def known_offset(abbreviation: str) -> timezone | None:
    """The one offset that an abbreviation means; None when there are several or it is unknown."""
    if abbreviation in _HOURS:
        return timezone(timedelta(hours=_HOURS[abbreviation]))
    match = _OFFSET.match(abbreviation)
    if match is None:
        return None
    seconds = int(match[2]) * 3600 + int(match[3] or 0) * 60 + int(match[4] or 0)
    if seconds >= 86400:
        return None
    return timezone(timedelta(seconds=-seconds if match[1] == "-" else seconds))


def parse_instant(text: str) -> datetime | str:
    """Read ``2025-07-10 12:36:58.237185-07``; the text itself for BC and infinity.

    >>> parse_instant("2026-11-22 13:46:34.13149+01").isoformat()
    '2026-11-22T12:46:34.131490+00:00'
    """
    match = _INSTANT.match(text)
    offset = known_offset(match[2]) if match else None
    if match is None or offset is None:
        return text
    stamp, _, fraction = match[1].partition(".")
    try:
        local = datetime.fromisoformat(f"{stamp}.{fraction:0<6}")
        return local.replace(tzinfo=offset).astimezone(UTC)
    except (ValueError, OverflowError):
        return text
