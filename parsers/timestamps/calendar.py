"""The proleptic Gregorian calendar by days, beyond what Python's has.

Follows date2j and j2date in src/backend/utils/adt/datetime.c.
"""

from __future__ import annotations

import calendar
from typing import Final

_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def days_in_month(year: int, month: int) -> int:
    """How many days a month has; the year 0 is 1 BC."""
    return 29 if month == 2 and calendar.isleap(year) else _DAYS[month - 1]


def julian_day(year: int, month: int, day: int) -> int:
    """The Julian day of a date of the proleptic Gregorian calendar."""
    year, month = (year + 4800, month + 1) if month > 2 else (year + 4799, month + 13)
    century = year // 100
    julian = year * 365 - 32167 + year // 4 - century + century // 4
    return julian + 7834 * month // 256 + day


def from_julian_day(julian: int) -> tuple[int, int, int]:
    """The date of a Julian day."""
    julian += 32044
    quad, rest = divmod(julian, 146097)
    extra = rest * 4 + 3
    julian += 60 + quad * 3 + extra // 146097
    quad, julian = divmod(julian, 1461)
    year = julian * 4 // 1461
    julian = (julian + 305) % 365 + 123 if year else (julian + 306) % 366 + 123
    year += quad * 4
    month = julian * 2141 // 65536
    return year - 4800, (month + 10) % 12 + 1, julian - 7834 * month // 256
