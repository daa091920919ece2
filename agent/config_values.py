"""What the parts of the configuration are made of: strict mappings, and durations in seconds."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from agent.durations import parse_duration


class Strict(BaseModel):
    """A mapping of the file, in which a key that nobody knows is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _seconds(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


Seconds = Annotated[float, BeforeValidator(_seconds), Field(gt=0)]
