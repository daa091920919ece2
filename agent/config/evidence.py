"""The part of the configuration that says where signed statements go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, field_validator

from agent.config.fields import Seconds, Strict
from agent.config.rates import parse_size
from parsers.sentences import tr

_LIMIT_BYTES: Final = 1 << 30


def _bytes(value: object) -> object:
    return parse_size(value) if isinstance(value, str) else value


class EvidenceConfig(Strict):
    """One chain for all clusters of the agent."""

    directory: Path
    key: Path  # the private one, as pitr-agent new-evidence-key writes it
    every: Seconds = 3600.0  # the longest time without a statement of a cluster
    # Of all statements: beyond it the oldest are removed, and a statement says so.
    limit: Annotated[int, BeforeValidator(_bytes), Field(ge=1 << 20)] = _LIMIT_BYTES

    @field_validator("directory", "key")
    @classmethod
    def _is_absolute(cls, path: Path) -> Path:
        if not path.is_absolute():
            raise ValueError(tr("{path!r} is not an absolute path", path=str(path)))
        return path
