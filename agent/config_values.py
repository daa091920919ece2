"""What the parts of the configuration are made of: strict mappings, and durations in seconds."""

from __future__ import annotations

from typing import Annotated, Final
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from agent.durations import parse_duration


class Strict(BaseModel):
    """A mapping of the file, in which a key that nobody knows is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


_SECONDS_MAX: Final = 3_153_600_000  # a century: no clock has to add more to an instant


def _seconds(value: object) -> object:
    seconds = parse_duration(value) if isinstance(value, str) else value
    if isinstance(seconds, float) and seconds > _SECONDS_MAX:
        raise ValueError(f"{value!r} is longer than a century")
    return seconds


Seconds = Annotated[float, BeforeValidator(_seconds), Field(gt=0, le=_SECONDS_MAX)]


def zone_named(name: str, example: str) -> ZoneInfo:
    """The time zone of this name. Raises ValueError."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        raise ValueError(f"{name!r} is not a time zone: write it {example}") from None
