"""Crontab expressions, as cron reads them: `0 3 * * 0` is Sundays at three.

APScheduler's CronTrigger counts weekdays from Monday and wants day of the month *and* weekday to
match; cron counts from Sunday, takes 7 for it too, and is satisfied with one of the two where both
are restricted (crontab(5)). A sixth field before the five is seconds.
"""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger

_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: Final = ("second", "minute", "hour", "day", "month", "day_of_week")
_LOOKED_AT: Final = 12  # runs, to find the longest time between two


def parse_crontab(text: str, zone: tzinfo) -> BaseTrigger:
    """When an expression is due, in this zone. Raises ValueError with one line."""
    words = text.lower().split()
    if len(words) == len(_FIELDS) - 1:
        words = ["0", *words]
    if len(words) != len(_FIELDS):
        raise ValueError(f"{text!r} is not a crontab expression: write 5 fields, as '0 3 * * 0'")
    fields = dict(zip(_FIELDS, words, strict=True))
    either = "*" not in (fields["day"][0], fields["day_of_week"][0])
    try:
        fields["day_of_week"] = _weekdays(fields["day_of_week"])
        if not either:
            return CronTrigger(**fields, timezone=zone)
        return OrTrigger([
            CronTrigger(**{**fields, other: "*"}, timezone=zone)
            for other in ("day", "day_of_week")
        ])  # fmt: skip
    except ValueError as error:
        raise ValueError(f"{text!r} is not a crontab expression: {error}") from None


def longest_pause(trigger: BaseTrigger, now: datetime) -> timedelta:
    """The longest time between two of the next dozen runs; zero where there are not two."""
    at, longest = trigger.get_next_fire_time(None, now), timedelta(0)
    for _ in range(_LOOKED_AT):
        following = at and trigger.get_next_fire_time(at, at + timedelta(microseconds=1))
        if following is None:
            break
        at, longest = following, max(longest, following - at)
    return longest


def local_zone() -> tzinfo:
    """The machine's time zone, which cron goes by."""
    from tzlocal import get_localzone  # what APScheduler itself asks

    zone: ZoneInfo = get_localzone()
    return zone


def _weekdays(field: str) -> str:
    """The names of the days, apart by commas; `*` for all of them."""
    days: set[int] = set()
    for part in field.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        if slash and not (step.isdigit() and int(step)):
            raise ValueError(f"{part!r} is no step of weekdays")
        begin, end = (0, 6) if span == "*" else (_weekday(first), _weekday(last if dash else first))
        if slash and not dash and span != "*":
            end = 6
        if end < begin:
            raise ValueError(f"{part!r}: the first weekday comes after the last")
        days.update(day % 7 for day in range(begin, end + 1, int(step) if slash else 1))
    return "*" if len(days) == len(_DAYS) else ",".join(_DAYS[day] for day in sorted(days))


def _weekday(word: str) -> int:
    if word in _DAYS:
        return _DAYS.index(word)
    if word.isdigit() and int(word) <= len(_DAYS):
        return int(word)
    raise ValueError(f"{word!r} is no weekday: 0 to 7, or sun to sat")
