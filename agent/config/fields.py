"""What the parts of the configuration are made of: strict mappings, and durations in seconds."""

from __future__ import annotations

from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from agent.durations import parse_duration
from agent.zones import find_zone
from parsers.sentences import tr
from rules.model.releases import parse_release


class Strict(BaseModel):
    """A mapping of the file, in which an unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def over(self, general: Self) -> Self:
        """The keys that were given here, and for the others those of what is more general."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return general.model_copy(update=given)


def _seconds(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return parse_duration(str(value))  # which refuses it: it has no unit
    return parse_duration(value) if isinstance(value, str) else value


def _release(value: object) -> object:
    """server_version_num. A number without quotes has lost its zero: 17.10 is 17.1 to YAML."""
    found = parse_release(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(
            tr("{value!r} is not a minor release: write it in quotes, as '18.7'", value=value)
        )
    return found


ServerVersion = Annotated[int, BeforeValidator(_release)]
Seconds = Annotated[float, BeforeValidator(_seconds), Field(gt=0, strict=True)]


def zone_named(name: str, example: str) -> ZoneInfo:
    """The time zone of this name. Raises ValueError."""
    zone = find_zone(name)
    if zone is None:
        raise ValueError(
            tr("{name!r} is not a time zone: write it {example}", name=name, example=example)
        )
    return zone
