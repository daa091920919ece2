"""The part of the configuration that says when drills are made, and how."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger
from pydantic import BeforeValidator, Field, field_validator, model_validator

from agent.config.crontab import local_zone, longest_pause, parse_crontab
from agent.config.fields import Seconds, Strict, zone_named
from parsers.sentences import tr
from rules.drill.comparison import Probe

NEVER: Final = "never"
_AGE_SECONDS: Final = 86400.0  # however often drills are made


def _as_psql_prints(value: object) -> object:
    """YAML reads `t` as text, and 42 and true as what they are not here."""
    if isinstance(value, bool):
        return "t" if value else "f"
    return str(value) if isinstance(value, int | float) else value


class ProbeConfig(Strict):
    """A query of the restored cluster, and its answer as psql -At prints it."""

    database: str = "postgres"
    sql: Annotated[str, Field(min_length=1)]
    expected: Annotated[str, BeforeValidator(_as_psql_prints)]

    def facts(self) -> Probe:
        return Probe(database=self.database, sql=self.sql, expected=self.expected.strip())


class DrillConfig(Strict):
    """Drills of one cluster. A key that is not given is the default's."""

    schedule: str = NEVER  # a crontab expression
    timezone: str | None = None  # of the schedule; None: the machine's
    at: Literal["random", "latest"] = "random"
    directory: Path | None = None  # None: TMPDIR, or /var/tmp
    pg_bindir: Path | None = None
    user: str | None = None  # whom the scratch server runs as, where the agent is root
    socket: Path | None = None  # of pitr-drill.socket, whose unit makes the drill
    confine: Literal["auto", "always", "never"] = "auto"
    preload: tuple[str, ...] = ()  # libraries that the scratch server loads
    probes: tuple[ProbeConfig, ...] = ()
    nice: bool = True
    timeout: Seconds = 6 * 3600.0  # of one drill
    history: Annotated[int, Field(ge=10, le=10_000)] = 200  # drills that are remembered

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, name: str | None) -> str | None:
        if name is not None:
            zone_named(name, tr("as Europe/Madrid"))
        return name

    @field_validator("directory", "pg_bindir", "socket")
    @classmethod
    def _is_absolute(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_absolute():
            raise ValueError(tr("{path!r} is not an absolute path", path=str(path)))
        return path

    @model_validator(mode="after")
    def _has_one_account(self) -> DrillConfig:
        if self.socket is not None and self.user is not None:
            raise ValueError(
                tr("the unit behind `socket` has a User= of its own: leave `user` out")
            )
        return self

    @model_validator(mode="after")
    def _is_due_some_time(self) -> DrillConfig:
        if self.schedule != NEVER:
            parse_crontab(self.schedule, ZoneInfo("UTC"))
        return self

    @property
    def trigger(self) -> BaseTrigger | None:
        """When a drill is due; None: never."""
        if self.schedule == NEVER:
            return None
        zone = ZoneInfo(self.timezone) if self.timezone else local_zone()
        return parse_crontab(self.schedule, zone)

    def age_seconds(self, now: datetime) -> float | None:
        """How old the last good drill may be unless told: one may be missed. None: no schedule."""
        if self.trigger is None:
            return None
        return max(2 * longest_pause(self.trigger, now).total_seconds(), _AGE_SECONDS)
