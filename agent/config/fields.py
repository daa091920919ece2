"""What the parts of the configuration are made of: strict mappings, and durations in seconds."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from agent.durations import parse_duration
from agent.zones import find_zone


class Strict(BaseModel):
    """A mapping of the file, in which an unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _seconds(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return parse_duration(str(value))  # which refuses it: it has no unit
    return parse_duration(value) if isinstance(value, str) else value


Seconds = Annotated[float, BeforeValidator(_seconds), Field(gt=0, strict=True)]


def zone_named(name: str, example: str) -> ZoneInfo:
    """The time zone of this name. Raises ValueError."""
    zone = find_zone(name)
    if zone is None:
        raise ValueError(f"{name!r} is not a time zone: write it {example}")
    return zone
