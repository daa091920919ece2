"""A recovery target with its value read, as the server reads recovery_target_*.

Follows check_recovery_target_time, _xid, _lsn and _name in xlogrecovery.c (guc_tables.c's check
hooks). Times are read as timestamptz's input function does (`parsers.timestamps`): without a zone
they are local to the restored server.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta, timezone, tzinfo
from typing import Final, Literal

from parsers.errors import ParseError
from parsers.log.times import known_offset
from parsers.lsn import parse_lsn
from parsers.sentences import tr
from parsers.timestamps.reading import ServerTime, parse_timestamp
from parsers.values import dataclass
from parsers.wal.facts import POSTGRES_EPOCH
from rules.model.target import Target

# At most one of them may be set: check_recovery_target_* in xlogrecovery.c.
TARGETS: Final = (
    "recovery_target", "recovery_target_lsn", "recovery_target_name", "recovery_target_time",
    "recovery_target_xid",
)  # fmt: skip
GoalType = Literal["none", "time", "lsn", "xid", "name", "immediate"]
Action = Literal["promote", "pause", "shutdown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenTime:
    """A time as somebody wrote it, read but for a zone that it may not name."""

    text: str
    read: ServerTime
    zone: tzinfo | None  # None: the restored server's counts
    own: str | None = None  # what may be an abbreviation of the restored server's zone

    def in_zone(self, zone: tzinfo) -> int:
        """TimestampTz, where this zone counts if it names none. Raises ParseError."""
        year, month, day, *clock = self.read.local
        if not MINYEAR < year < MAXYEAR:
            year = 2000 + year % 400  # the calendar repeats itself
        try:
            local = datetime(year, month, day) + _since_midnight(*clock)
            there = self.zone or self._own_zone(zone, local)
            offset = local.replace(tzinfo=there, fold=_fold(local, there)).utcoffset()
        except ParseError:
            raise
        except (ValueError, OverflowError) as error:
            raise ParseError(
                tr("not a time: {text!r} ({error})", text=self.text, error=error)
            ) from None
        at_us = self.read.local_us - (offset or timedelta()) // timedelta(microseconds=1)
        return min(max(at_us, _FIRST_US), _LAST_US)

    def _own_zone(self, zone: tzinfo, local: datetime) -> tzinfo:
        if self.own is None:
            return zone
        offset = _offset_in(zone, self.own, local)
        if offset is None:
            raise ParseError(
                tr("not a time: {text!r} (unknown zone {zone})", text=self.text, zone=self.own)
            )
        return timezone(offset)


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
    zoneless: WrittenTime | None = None  # a time that cannot be compared yet: it names no zone

    def in_zone(self, zone: tzinfo) -> Goal:
        """The same where the restored server's TimeZone is known. Raises ParseError."""
        if self.zoneless is None:
            return self
        return replace(self, time_us=self.zoneless.in_zone(zone), zoneless=None)


FindZone = Callable[[str], tzinfo | None]


def read_goal(
    target: Target,
    *,
    zone: tzinfo | None = UTC,
    find_zone: FindZone | None = None,
    major: int | None = None,
) -> Goal:
    """Read a target's value and timeline. `zone` is the restored server's TimeZone.

    Where that is not known yet (None), a time without a zone is left `zoneless`. `find_zone` gives
    the zone of a name such as Europe/Madrid, None for an unknown one. A setting is read by the
    grammar of its server (of `major`), what a person types also where no server takes it as it is.
    Raises ParseError for what the server refuses, and for what it would silently misunderstand.
    """
    value, written = target.value or "", None
    if target.type == "time":
        written = parse_time(value, find_zone, is_setting=target.is_setting, major=major)
    goal = Goal(
        type=_one_of(target.type, ("none", "time", "lsn", "xid", "name", "immediate")),  # type: ignore[arg-type]
        lsn=parse_lsn(value) if target.type == "lsn" else None,
        xid=_read_xid(value) if target.type == "xid" else None,
        name=_read_name(value) if target.type == "name" else None,
        timeline=_read_timeline(target.timeline),
        inclusive=target.inclusive,
        action=_one_of(target.action, ("promote", "pause", "shutdown")),  # type: ignore[arg-type]
        zoneless=written,
    )
    known = zone or (written.zone if written else None)
    return goal if known is None else goal.in_zone(known)


def _read_xid(text: str) -> int:
    """A 64-bit xid is cut to 32 bits, as the server does."""
    number = _read_number(text)
    if number is None or number >= 1 << 64:
        raise ParseError(tr("not a transaction id: {text!r}", text=text))
    return number & 0xFFFFFFFF


def _one_of(word: str, words: tuple[str, ...]) -> str:
    if word not in words:
        raise ParseError(tr("{word!r} is not one of {words}", word=word, words=", ".join(words)))
    return word


def _read_number(text: str) -> int | None:
    """Read a number as strtoul(text, NULL, 0): 0x is hexadecimal, a leading 0 octal."""
    text = re.sub(r"\A\s*\+?", "", text)
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
        raise ParseError(
            tr("timeline {text!r}: write latest, current or a number of 32 bits", text=text)
        )
    return number


def _read_name(text: str) -> str:
    count = len(text.encode())
    if not 0 < count < 64:
        raise ParseError(tr("a restore point's name has 1 to 63 bytes, not {count}", count=count))
    return text


# -- times ---------------------------------------------------------------------------------------

# timezonesets/Default: the server knows these first as abbreviations, the same all the year; the
# zones of these names have a summer.
_ABBREVIATIONS: Final = {"WET": 0, "CET": 1, "MET": 1, "EET": 2}
# What a person writes and no server takes, without a doubt what it means: (what, how to write it).
_SPELLINGS: Final = (
    (re.compile(r"(?<=[\d\s])[Zz]\Z"), "+00"),
    (re.compile(r"\bUT\Z"), "+00"),
    (re.compile("\u2212"), "-"),
    (re.compile(r"(?<=:\d\d),(?=\d)"), "."),
    (re.compile(r"(?<=\d)([T ]\d\d)(?=\Z|[+-])"), r"\1:00"),
)
_LAST_WORD: Final = re.compile(r"(?<=[\d\s])[A-Za-z]{2,5}\Z")
# A zone by POSIX's rules, whose offset is west of UTC; one with a summer has more.
_POSIX_ZONE: Final = re.compile(r"[^\d,+-]{3,}([+-]?)(\d{1,3})(?::(\d{1,2})(?::(\d{1,2}))?)?\Z")
# What can be shown of times: no commit is earlier or later.
_FIRST_US: Final = (datetime(1, 1, 2, tzinfo=UTC) - POSTGRES_EPOCH) // timedelta(microseconds=1)
_LAST_US: Final = (datetime(9999, 12, 30, tzinfo=UTC) - POSTGRES_EPOCH) // timedelta(microseconds=1)
_FIRST_OF_OWN_ABBREVIATIONS: Final = 18  # the major that takes those of its own TimeZone


def read_time(
    text: str,
    zone: tzinfo,
    find_zone: FindZone | None = None,
    *,
    is_setting: bool = False,
    major: int | None = None,
) -> int:
    """Read a time as TimestampTz, in microseconds since 2000-01-01 UTC.

    >>> read_time("2000-01-01 01:00:00.5+01", UTC)
    500000
    """
    return parse_time(text, find_zone, is_setting=is_setting, major=major).in_zone(zone)


def parse_time(
    text: str,
    find_zone: FindZone | None = None,
    *,
    is_setting: bool = False,
    major: int | None = None,
) -> WrittenTime:
    """Read a time as it is written. Raises ParseError.

    What stands in a setting is read by the grammar of the server of `major`, and what a person
    typed by that too, or else as any instant that it denotes without doubt.
    """
    complaints: list[str] = []
    for reading in dict.fromkeys([text] if is_setting else [text, _spelt_out(text)]):
        try:
            read = parse_timestamp(reading, major=major)
            return _written(text, read, find_zone, has_own=is_setting and _knows_own(major))
        except ParseError as error:
            complaints.append(error.message)
    raise ParseError(
        tr(
            "not a time: {text!r} ({complaint}; write 2025-07-08 08:00:00+00)",
            text=text,
            complaint=complaints[0],
        )
    )


def _knows_own(major: int | None) -> bool:
    return major is None or major >= _FIRST_OF_OWN_ABBREVIATIONS


def _written(
    text: str, read: ServerTime, find_zone: FindZone | None, *, has_own: bool
) -> WrittenTime:
    if read.offset_seconds is not None:
        zone: tzinfo | None = timezone(timedelta(seconds=read.offset_seconds))
        return WrittenTime(text=text, read=read, zone=zone)
    if read.zone_name is None:
        return WrittenTime(text=text, read=read, zone=None)
    zone = _zone_of(read.zone_name, find_zone)
    if zone is None and not (has_own and read.zone_name.isalpha()):
        raise ParseError(tr("unknown zone {zone}", zone=read.zone_name))
    return WrittenTime(
        text=text, read=read, zone=zone, own=read.zone_name if zone is None else None
    )


def has_zone(text: str) -> bool:
    """Tell whether a time is written with its zone: without, the restored server's counts."""
    for reading in (text, _spelt_out(text)):
        try:
            read = parse_timestamp(reading)
        except ParseError:
            continue
        return read.offset_seconds is not None or read.zone_name is not None
    return False


def is_taken_as_setting(text: str, find_zone: FindZone | None, major: int | None = None) -> bool:
    """Tell whether a server takes the text of a time as it is in recovery_target_time."""
    try:
        read_time(text, UTC, find_zone, is_setting=True, major=major)
    except ParseError:
        return False
    return True


def _spelt_out(text: str) -> str:
    """The time as the server's grammar has it, where a person wrote it otherwise."""
    text = text.strip()
    for pattern, spelling in _SPELLINGS:
        text = pattern.sub(spelling, text)
    word = _LAST_WORD.search(text)
    offset = known_offset(word[0].upper()) if word else None
    if word is None or offset is None:
        return text
    return f"{text[: word.start()]}{datetime(2000, 1, 1, tzinfo=offset):%z}"


def _since_midnight(hour: int, minute: int, second: int) -> timedelta:
    return timedelta(hours=hour, minutes=minute, seconds=second)


def _zone_of(name: str, find_zone: FindZone | None) -> tzinfo | None:
    """The zone of a name as servers read it; None for an unknown one."""
    if name in ("utc", "gmt"):
        return UTC
    if (hours := _ABBREVIATIONS.get(name.upper())) is not None:
        return timezone(timedelta(hours=hours))
    found = find_zone(name) if find_zone else None
    posix = _POSIX_ZONE.match(name)
    if found is not None or posix is None:
        return found
    hours, minutes, seconds = (int(part or 0) for part in posix.group(2, 3, 4))
    west = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return timezone(west if posix[1] == "-" else -west) if hours < 24 else None


def _offset_in(own: tzinfo, name: str, local: datetime) -> timedelta | None:
    """What an abbreviation stands for in the server's own zone in that year."""
    for month in (local.month, *range(1, 13)):
        moment = datetime(local.year, month, 1, tzinfo=own)
        if (moment.tzname() or "").upper() == name.upper():
            return moment.utcoffset()
    return None


def _fold(local: datetime, zone: tzinfo) -> int:
    """DetermineTimeZoneOffset: of an hour that comes twice, the second; of a skipped one, the old.

    A skipped hour is read with the offset that held before it, which is datetime's fold 0.
    """
    first = zone.utcoffset(local.replace(fold=0)) or timedelta()
    second = zone.utcoffset(local.replace(fold=1)) or timedelta()
    return 1 if first > second else 0
