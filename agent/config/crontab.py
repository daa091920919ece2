"""Crontab expressions, as cron reads them: `0 3 * * 0` is Sundays at three.

APScheduler's CronTrigger counts weekdays from Monday and wants day of the month *and* weekday to
match; cron counts from Sunday, takes 7 for it too, and is satisfied with one of the two where both
are restricted (crontab(5)). It also drops what follows a month's name (`jan-3`, `jan-mar/2`), so
names become numbers here. A sixth field before the five is seconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger

from parsers.sentences import tr

_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: Final = ("second", "minute", "hour", "day", "month", "day_of_week")
_MONTHS: Final = (
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
)  # fmt: skip
_NAME: Final = re.compile("[a-z]+")
_LEAP_YEAR: Final = datetime(2000, 1, 1, tzinfo=UTC)
# Runs that are looked at to find the longest time between two: a dozen, of frequent ones a month,
# or a week of hourly ones, for the nights and weekends in them.
_LOOKED_AT_LEAST: Final = 12
_LOOKED_AT_MOST: Final = 200
_LOOKED_FOR: Final = timedelta(days=32)


def parse_crontab(text: str, zone: tzinfo) -> BaseTrigger:
    """When an expression is due, in this zone. Raises ValueError with one line.

    What a change of the clocks skips is due right after it, what it repeats is due twice.
    """
    words = text.lower().split()
    if len(words) == len(_FIELDS) - 1:
        words = ["0", *words]
    if len(words) != len(_FIELDS):
        raise ValueError(
            tr("{text!r} is not a crontab expression: write 5 fields, as '0 3 * * 0'", text=text)
        )
    fields = dict(zip(_FIELDS, words, strict=True))
    either = "*" not in (fields["day"][0], fields["day_of_week"][0])
    try:
        fields["day_of_week"] = _weekdays(fields["day_of_week"])
        fields["month"] = _NAME.sub(_month, fields["month"])
        trigger = _trigger(fields, zone, either=either)
    except ValueError as error:
        raise ValueError(
            tr("{text!r} is not a crontab expression: {error}", text=text, error=error)
        ) from None
    if trigger.get_next_fire_time(None, _LEAP_YEAR) is None:
        raise ValueError(tr("{text!r} is never due: no such day is in that month", text=text))
    return trigger


def longest_pause(trigger: BaseTrigger, now: datetime) -> timedelta:
    """The longest time between two of the next runs; zero where there are not two."""
    at, longest = _next_run(trigger, now), timedelta(0)
    for count in range(_LOOKED_AT_MOST):
        following = at and _next_run(trigger, at + timedelta(microseconds=1))
        if following is None:
            break
        at, longest = following, max(longest, following - at)
        if count >= _LOOKED_AT_LEAST and at - now > _LOOKED_FOR:
            break
    return longest


def _next_run(trigger: BaseTrigger, now: datetime) -> datetime | None:
    """In UTC: arithmetic in another zone loses which of two equal hours it is."""
    due: datetime | None = trigger.get_next_fire_time(None, now)
    return due and due.astimezone(UTC)


def _trigger(fields: Mapping[str, str], zone: tzinfo, *, either: bool) -> BaseTrigger:
    if not either:
        return CronTrigger(**fields, timezone=zone)
    return OrTrigger([
        CronTrigger(**{**fields, other: "*"}, timezone=zone)
        for other in ("day", "day_of_week")
    ])  # fmt: skip


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
            raise ValueError(tr("{part!r} is no step of weekdays", part=part))
        begin, end = (0, 6) if span == "*" else (_weekday(first), _weekday(last if dash else first))
        if slash and not dash and span != "*":
            end = 6
        if end < begin:
            raise ValueError(tr("{part!r}: the first weekday comes after the last", part=part))
        days.update(day % 7 for day in range(begin, end + 1, int(step) if slash else 1))
    return "*" if len(days) == len(_DAYS) else ",".join(_DAYS[day] for day in sorted(days))


def _month(name: re.Match[str]) -> str:
    if name[0] not in _MONTHS:
        raise ValueError(tr("{name!r} is no month: 1 to 12, or jan to dec", name=name[0]))
    return str(_MONTHS.index(name[0]) + 1)


def _weekday(word: str) -> int:
    if word in _DAYS:
        return _DAYS.index(word)
    if word.isdigit() and int(word) <= len(_DAYS):
        return int(word)
    raise ValueError(tr("{word!r} is no weekday: 0 to 7, or sun to sat", word=word))
