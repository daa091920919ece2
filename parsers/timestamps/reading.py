"""What a timestamp's fields mean: the clock's time, and where that clock stands.

Follows DecodeDateTime and what it calls in src/backend/utils/adt/datetime.c, and
check_recovery_target_time: the same steps in the same order, since which text is taken, and for
which instant, follows from them alone. DateStyle is MDY. Abbreviations of zones (`CEST`) are no
part of it: no server knows any when it checks the setting, but for those of its own TimeZone from
18 on. `tests/data/times.json` holds what servers of each major answered.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import Final, NamedTuple

from parsers.errors import ParseError
from parsers.sentences import tr
from parsers.timestamps.calendar import days_in_month, from_julian_day, julian_day
from parsers.timestamps.fields import (
    IGNORED,
    JULIAN,
    MONTHS,
    TOKEN_CHARACTERS,
    TOKENS,
    WEEKDAYS,
    WITHOUT_A_DAY,
    Field,
    leading_digits,
    leading_number,
    split_fields,
    to_number,
)
from parsers.values import dataclass

_MAX_HOURS_EAST: Final = 15
_LENIENT_FROM: Final = 15  # the major that takes a fraction without digits

_YEAR, _MONTH, _DAY, _DOY, _TZ, _DTZMOD, _HOUR, _MINUTE, _SECOND = (1 << bit for bit in range(9))
_DATE: Final = _YEAR | _MONTH | _DAY
_TIME: Final = _HOUR | _MINUTE | _SECOND


class ServerTime(NamedTuple):
    """A timestamp as it was written: the clock's time, and where that clock stands."""

    local_us: int  # since 2000-01-01 00:00 of that clock
    offset_seconds: int | None  # east of UTC; None: `zone_name` says, or the server's TimeZone
    zone_name: str | None  # as written, in lower case
    local: tuple[int, int, int, int, int, int]  # proleptic Gregorian; the year 0 is 1 BC


@dataclass(slots=True)
class _Clock:
    """What has been read so far."""

    lenient: bool  # of a major that takes a fraction without digits
    year: int = 0
    month: int = 0
    day: int = 0
    hour: int = 0
    minute: int = 0
    second: int = 0
    fraction_us: int = 0
    year_day: int = 0
    seen: int = 0  # a bit for each part
    two_digits: bool = False
    julian: bool = False
    text_month: bool = False
    bc: bool = False
    half: str | None = None  # am, pm
    offset: int | None = None
    zone: str | None = None
    awaits: str | None = field(default=None)  # julian, time: what the next field must be


def parse_timestamp(text: str, *, major: int | None = None) -> ServerTime:
    """Read a text as a server of this major reads `recovery_target_time`. Raises ParseError.

    >>> parse_timestamp("Nov 28 14:29:59 2026 UTC").local
    (2026, 11, 28, 14, 29, 59)
    """
    clock = _Clock(lenient=major is None or major >= _LENIENT_FROM)
    fields = split_fields(text)
    for at, each in enumerate(fields):
        new = _decode(clock, each, fields[at + 1 :])
        if new & clock.seen:
            raise ParseError(tr("{text!r} says again what was said before it", text=each.text))
        clock.seen |= new
    if clock.awaits is not None:
        raise ParseError(tr("it ends before it is complete"))
    return _complete(clock)


# -- meaning: DecodeDateTime -----------------------------------------------------------------------


def _decode(clock: _Clock, each: Field, following: list[Field]) -> int:
    """Take one field, and give the bits of what it says."""
    match each.kind:
        case "date":
            return _decode_date_or_zone(clock, each.text)
        case "time":
            if clock.awaits not in (None, "time"):
                raise ParseError(tr("{text!r} does not fit there", text=each.text))
            clock.awaits = None
            return _decode_clock(clock, each.text)
        case "tz":
            clock.offset = _decode_offset(each.text)
            return _TZ
        case "number":
            return _decode_number_field(clock, each.text)
        case _:
            return _decode_word(clock, each.text, following)


def _decode_date_or_zone(clock: _Clock, text: str) -> int:
    if clock.awaits == "julian":
        clock.awaits = None
        number, rest = leading_number(text)
        clock.offset = _decode_offset(rest)
        _take_julian(clock, number)
        return _DATE | _TIME | _TZ
    if clock.awaits is None and clock.seen & (_MONTH | _DAY) != _MONTH | _DAY:
        return _decode_date(clock, text)
    if not text[0].isdecimal() and clock.awaits is None:
        clock.zone = text
        return _TZ
    # An ISO time without colons, with its offset.
    head, sign, offset = text.partition("-")
    if clock.seen & _TIME == _TIME or not sign:
        raise ParseError(tr("{text!r} does not fit there", text=text))
    clock.awaits = None
    clock.offset = _decode_offset(sign + offset)
    return _decode_run(clock, head, clock.seen) | _TZ


def _decode_number_field(clock: _Clock, text: str) -> int:
    if clock.awaits is not None:
        awaited, clock.awaits = clock.awaits, None
        if awaited == "julian":
            return _decode_julian(clock, text)
        new = _decode_run(clock, text, clock.seen | _DATE)
        if new != _TIME:
            raise ParseError(tr("{text!r} is no time of day", text=text))
        return new
    head, point, _ = text.partition(".")
    if point and not clock.seen & _DATE:
        return _decode_date(clock, text)
    if point and len(head) > 2:
        return _decode_run(clock, text, clock.seen)
    if len(text) >= 6 and (not clock.seen & _DATE or not clock.seen & _TIME):
        return _decode_run(clock, text, clock.seen)
    return _decode_number(clock, text, clock.seen)


def _decode_julian(clock: _Clock, text: str) -> int:
    number, rest = leading_number(text)
    _take_julian(clock, number)
    if not rest:
        return _DATE
    day_us = round(_fraction(clock, rest) * 86400)
    seconds, clock.fraction_us = divmod(day_us, 1_000_000)
    clock.hour, seconds = divmod(seconds, 3600)
    clock.minute, clock.second = divmod(seconds, 60)
    return _DATE | _TIME


def _decode_word(clock: _Clock, word: str, following: list[Field]) -> int:
    token = word[:TOKEN_CHARACTERS]
    if clock.awaits is not None and (token not in TOKENS or token in JULIAN or token == "t"):
        raise ParseError(tr("{word!r} does not fit there", word=word))
    if token in IGNORED or token in WEEKDAYS:
        return 0
    if token in MONTHS:
        return _decode_month(clock, MONTHS[token])
    if token in WITHOUT_A_DAY:
        raise ParseError(tr("{word!r} is no day that stays the same", word=word))
    match token:
        case "am" | "pm":
            clock.half = token
            return 0
        case "ad" | "bc":
            clock.bc = token == "bc"
            return 0
        case "allballs":
            clock.hour = clock.minute = clock.second = clock.offset = 0
            return _TIME | _TZ
        case "dst":
            return _DTZMOD
        case "t":
            return _expect_time(clock, following)
        case "j" | "jd" | "julian":
            clock.awaits = "julian"
            return 0
    if token in TOKENS:
        raise ParseError(tr("{word!r} does not fit there", word=word))
    clock.zone = word
    return _TZ


def _expect_time(clock: _Clock, following: list[Field]) -> int:
    if clock.seen & _DATE != _DATE or not following:
        raise ParseError(tr("'t' is no part of a time there"))
    if following[0].kind not in ("number", "time", "date"):
        raise ParseError(tr("no time of day follows 't'"))
    clock.awaits = "time"
    return 0


def _decode_month(clock: _Clock, month: int) -> int:
    """A month's name; a number that was taken for the month before is the day then."""
    new = _MONTH
    numeric = clock.seen & _MONTH and not clock.text_month and not clock.seen & _DAY
    if numeric and 1 <= clock.month <= 31:
        clock.day, new = clock.month, _DAY
    clock.text_month, clock.month = True, month
    return new


def _decode_date(clock: _Clock, text: str) -> int:
    """DecodeDate: a date in one field, its parts in any order that leaves no doubt."""
    parts: list[str | None] = list(re.findall(r"\d+|[A-Za-z]+", text))
    if not parts or re.search(r"(?:[^0-9A-Za-z]){2,}\Z", text):
        raise ParseError(tr("{text!r} is no date", text=text))
    seen, new, text_month = clock.seen, 0, False
    for at, part in enumerate(parts):
        if part is None or part[0].isdecimal() or part[:TOKEN_CHARACTERS] in IGNORED:
            parts[at] = part if part and part[0].isdecimal() else None
            continue
        month = MONTHS.get(part[:TOKEN_CHARACTERS])
        if month is None or seen & _MONTH:
            raise ParseError(tr("{part!r} is no month", part=part))
        clock.month, text_month, parts[at] = month, True, None
        seen, new = seen | _MONTH, new | _MONTH
    clock.text_month |= text_month
    for part in parts:
        if part is None:
            continue
        bits = _decode_number(clock, part, seen, text_month=text_month)
        if bits & seen:
            raise ParseError(tr("{text!r} says a part of the date twice", text=text))
        seen, new = seen | bits, new | bits
    if seen & ~(_DOY | _TZ) != _DATE:
        raise ParseError(tr("{text!r} is no whole date", text=text))
    return new


def _decode_number(clock: _Clock, text: str, seen: int, *, text_month: bool | None = None) -> int:
    """DecodeNumber: a part of a date by what is missing, or a time once nothing is."""
    named = clock.text_month if text_month is None else text_month
    number, rest = leading_number(text)
    if rest.startswith("."):
        if len(text) - len(rest) > 2:
            return _decode_run(clock, text, seen | _DATE)
        clock.fraction_us = _fraction(clock, rest)
    elif rest:
        raise ParseError(tr("{text!r} is no number", text=text))
    have = seen & _DATE
    if len(text) == 3 and have == _YEAR and 1 <= number <= 366:
        clock.year_day = number
        return _DOY | _MONTH | _DAY
    if have == _DATE:
        return _decode_run(clock, text, seen)
    part = _missing_part(len(text), have, named=named)
    if part == _YEAR:
        clock.year, clock.two_digits = number, len(text) <= 2
    elif part == _MONTH:
        clock.month = number
    elif have == _YEAR | _MONTH and named and len(text) >= 3 and clock.two_digits:
        clock.day, clock.year, clock.two_digits = clock.year, number, False
    else:
        clock.day = number
    return part


def _missing_part(length: int, have: int, *, named: bool) -> int:
    """Which part a number is, where DateStyle says MDY."""
    if have == 0:
        return _YEAR if length >= 3 else _MONTH
    if have == _MONTH:
        return _YEAR if named and length >= 3 else _DAY
    return {_YEAR: _MONTH, _YEAR | _MONTH: _DAY, _DAY: _MONTH, _MONTH | _DAY: _YEAR}.get(have, _DAY)


def _decode_run(clock: _Clock, text: str, seen: int) -> int:
    """DecodeNumberField: digits that run together, a date or a time."""
    digits, point, fraction = text.partition(".")
    if point:
        clock.fraction_us = round(float(f"0.{leading_digits(fraction)}0") * 1_000_000)
    elif seen & _DATE != _DATE and len(digits) >= 6:
        clock.year, clock.two_digits = to_number(digits[:-4]), len(digits) == 6
        clock.month, clock.day = int(digits[-4:-2]), int(digits[-2:])
        return _DATE
    if seen & _TIME == _TIME or len(digits) not in (4, 6) or not digits.isdecimal():
        raise ParseError(tr("{text!r} is neither a date nor a time", text=text))
    clock.hour, clock.minute = int(digits[:2]), int(digits[2:4])
    clock.second = int(digits[4:] or "0")
    return _TIME


def _decode_clock(clock: _Clock, text: str) -> int:
    """DecodeTime: hours, minutes and seconds with colons; minutes and seconds with a point."""
    match = re.fullmatch(r"(\d+):(\d*)(?::(\d*))?(\..*)?", text)
    if match is None:
        raise ParseError(tr("{text!r} is no time of day", text=text))
    parts = [to_number(part or "0") for part in (match[1], match[2], match[3])]
    clock.hour, clock.minute, clock.second = parts
    if match[3] is None and match[4] is not None:
        clock.hour, clock.minute, clock.second = 0, parts[0], parts[1]
    clock.fraction_us = _fraction(clock, match[4]) if match[4] else 0
    if clock.minute > 59 or clock.second > 60:
        raise ParseError(tr("there is no {text!r}", text=text))
    return _TIME


def _decode_offset(text: str) -> int:
    """DecodeTimezone: seconds east of UTC."""
    match = re.fullmatch(r"([+-])(\d+)(?::(\d*)(?::(\d*))?)?", text)
    if match is None:
        raise ParseError(tr("{text!r} is no offset from UTC", text=text))
    hours, minutes, seconds = (to_number(part or "0") for part in match.group(2, 3, 4))
    if match[3] is None and len(text) > 3:
        hours, minutes = divmod(hours, 100)
    if hours > _MAX_HOURS_EAST or minutes > 59 or seconds > 59:
        raise ParseError(tr("{text!r} is no offset from UTC: 15:59:59 is the largest", text=text))
    east = hours * 3600 + minutes * 60 + seconds
    return east if match[1] == "+" else -east


def _fraction(clock: _Clock, text: str) -> int:
    """Microseconds of `.5`."""
    if not re.fullmatch(r"\.\d*", text) or (text == "." and not clock.lenient):
        raise ParseError(tr("{text!r} is no fraction", text=text))
    return round(float(f"0{text}0") * 1_000_000)


# -- the whole: ValidateDate, tm2timestamp ---------------------------------------------------------

_LEAST_YEAR: Final = -4713  # with November; the server's timestamps begin there
_END_US: Final = 9_223_371_331_200_000_000
_JULIAN_2000: Final = 2_451_545
_DAY_US: Final = 86_400_000_000
_BEFORE_2000_US: Final = 211_813_488_000_000_000


def _complete(clock: _Clock) -> ServerTime:
    if clock.seen & _YEAR and not clock.julian:
        _complete_year(clock)
    if clock.seen & _DOY:
        day = julian_day(clock.year, 1, 1) + clock.year_day - 1
        clock.year, clock.month, clock.day = from_julian_day(day)
    if clock.seen & _DATE != _DATE:
        raise ParseError(tr("no whole date is in it"))
    if not 1 <= clock.month <= 12 or not 1 <= clock.day <= days_in_month(clock.year, clock.month):
        raise ParseError(
            tr(
                "there is no day {year:04d}-{month:02d}-{day:02d}",
                year=clock.year,
                month=clock.month,
                day=clock.day,
            )
        )
    if clock.half is not None:
        if clock.hour > 12:
            raise ParseError(tr("there is no {hour} {half}", hour=clock.hour, half=clock.half))
        clock.hour = clock.hour % 12 + (12 if clock.half == "pm" else 0)
    if clock.seen & _DTZMOD:
        raise ParseError(tr("'dst' without an abbreviation of a zone"))
    seconds = clock.hour * 3600 + clock.minute * 60 + clock.second
    if clock.minute > 59 or clock.second > 60 or seconds * 1_000_000 + clock.fraction_us > _DAY_US:
        raise ParseError(
            tr(
                "there is no {hour:02d}:{minute:02d}:{second:02d}",
                hour=clock.hour,
                minute=clock.minute,
                second=clock.second,
            )
        )
    days = julian_day(clock.year, clock.month, clock.day) - _JULIAN_2000
    local_us = days * _DAY_US + seconds * 1_000_000 + clock.fraction_us
    early = (clock.year, clock.month) < (_LEAST_YEAR, 11) or local_us < -_BEFORE_2000_US
    if early or local_us >= _END_US:
        raise ParseError(tr("it lies beyond the server's calendar"))
    local = (clock.year, clock.month, clock.day, clock.hour, clock.minute, clock.second)
    return ServerTime(local_us, clock.offset, clock.zone, local)


def _complete_year(clock: _Clock) -> None:
    if clock.bc:
        if clock.year <= 0:
            raise ParseError(tr("there is no year 0"))
        clock.year = 1 - clock.year
    elif clock.two_digits:
        clock.year += 2000 if clock.year < 70 else 1900
    elif clock.year <= 0:
        raise ParseError(tr("there is no year 0"))


def _take_julian(clock: _Clock, number: int) -> None:
    clock.year, clock.month, clock.day = from_julian_day(number)
    clock.julian = True
