"""What the configuration says, as values. How the file is read is in `config_file.py`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    Field,
    field_validator,
    model_validator,
)

from agent.archive.limits import REVERIFY_SECONDS
from agent.config_alerts import AlertsConfig
from agent.config_drill import NEVER, DrillConfig
from agent.config_values import Seconds, Strict, zone_named
from agent.dsn import check_dsn
from agent.rates import parse_rate
from parsers.segment import parse_wal_name
from rules.facts import Objectives
from rules.sequence import AcknowledgedGap


def _bytes_per_second(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a rate: write 50MB/s")
    return parse_rate(value)


BytesPerSecond = Annotated[float, BeforeValidator(_bytes_per_second), Field(gt=0)]


class ArchiveConfig(Strict):
    """Where WAL is archived: a directory, as a path or a file: URL."""

    url: str
    layout: Literal["auto", "directory"] = "auto"

    @field_validator("url")
    @classmethod
    def _is_a_path(cls, url: str) -> str:
        return directory_of(url)


class BackupsConfig(Strict):
    """Where base backups lie: one backup, or a directory that holds them."""

    url: str

    @field_validator("url")
    @classmethod
    def _is_a_path(cls, url: str) -> str:
        return directory_of(url)


class ObjectivesConfig(Strict):
    """What the owner wants. `rpo` also bounds how long a segment may wait for the archiver."""

    rpo: Seconds = 300.0
    rto: Seconds | None = None
    window: Seconds | None = None
    backup_age: Seconds | None = None
    drill_age: Seconds | None = None

    def facts(self) -> Objectives:
        return Objectives(
            rpo_seconds=self.rpo,
            rto_seconds=self.rto,
            window_seconds=self.window,
            backup_age_seconds=self.backup_age,
            drill_age_seconds=self.drill_age,
        )


class AcknowledgedGapConfig(Strict):
    """A gap that is known and will not be mended."""

    timeline: Annotated[int, Field(ge=1)]
    first: str
    last: str
    why: Annotated[str, Field(min_length=1)]

    @field_validator("first", "last")
    @classmethod
    def _is_a_segment(cls, name: str) -> str:
        parsed = parse_wal_name(name)
        if parsed is None or parsed.plain != parsed.segment or parsed.compression:
            raise ValueError(f"{name!r} is not a WAL segment name (24 hexadecimal digits)")
        return name

    @model_validator(mode="after")
    def _is_a_run(self) -> AcknowledgedGapConfig:
        if self.first > self.last:
            raise ValueError(f"the first, {self.first}, comes after the last, {self.last}")
        for name in (self.first, self.last):
            if int(name[:8], 16) != self.timeline:
                raise ValueError(f"{name} is not of timeline {self.timeline}")
        return self

    def facts(self) -> AcknowledgedGap:
        return AcknowledgedGap(
            timeline=self.timeline, first=self.first, last=self.last, why=self.why
        )


class ClusterConfig(Strict):
    """One cluster and where its evidence lies. Every source may be left out."""

    name: Annotated[str, Field(min_length=1)]
    dsn: str | None = None
    archives: tuple[ArchiveConfig, ...] = ()
    backups: BackupsConfig | None = None
    log: Path | None = None
    log_line_prefix: str | None = None
    log_timezone: str | None = None
    objectives: ObjectivesConfig = ObjectivesConfig()
    acknowledged_gaps: tuple[AcknowledgedGapConfig, ...] = ()
    poll: Seconds | None = None
    scan: Seconds | None = None
    timeout: Seconds | None = None
    reverify: Seconds | None = None
    io_limit: BytesPerSecond | None = None
    depth: Literal["names", "headers", "records"] | None = None
    drill: DrillConfig | None = None

    def wanted(self, now: datetime) -> Objectives:
        """As configured; how old a good drill may be follows from its schedule if not said."""
        wanted = self.objectives.facts()
        if self.drill is None or wanted.drill_age_seconds is not None:
            return wanted
        return replace(wanted, drill_age_seconds=self.drill.age_seconds(now))

    @field_validator("name")
    @classmethod
    def _is_printable(cls, name: str) -> str:
        if not name.strip():
            raise ValueError("a name of spaces cannot be told from another")
        if not name.isprintable():
            raise ValueError(f"{name!r} has characters that cannot be shown")
        return name

    @field_validator("dsn")
    @classmethod
    def _is_a_dsn(cls, dsn: str | None) -> str | None:
        if dsn is not None:
            check_dsn(dsn)
        return dsn

    @field_validator("log_timezone")
    @classmethod
    def _is_a_zone(cls, name: str | None) -> str | None:
        if name is not None:
            zone_named(name, "as log_timezone has it")
        return name

    @model_validator(mode="after")
    def _has_a_source(self) -> ClusterConfig:
        if not (self.dsn or self.archives or self.backups or self.log):
            raise ValueError("a cluster needs at least one of dsn, archives, backups, log")
        return self

    @model_validator(mode="after")
    def _can_be_drilled(self) -> ClusterConfig:
        wanted = self.drill is not None and self.drill.schedule != NEVER
        if wanted and not (self.archives and self.backups):
            raise ValueError("a drill needs archives and backups: name both, or no schedule")
        return self

    def drilled(self, defaults: DrillConfig) -> DrillConfig | None:
        """How this cluster is drilled; None: not at all."""
        drill = self.drill.over(defaults) if self.drill else defaults
        can_be = self.archives and self.backups
        return drill if can_be and drill.schedule != NEVER else None


class DefaultsConfig(Strict):
    """What holds for every cluster that does not say otherwise."""

    poll: Seconds = 15.0
    scan: Seconds = 300.0
    depth: Literal["names", "headers", "records"] = "records"
    timeout: Seconds = 10.0
    reverify: Seconds = REVERIFY_SECONDS
    io_limit: BytesPerSecond | None = None
    drill: DrillConfig = DrillConfig()


class IncludedConfig(Strict):
    """A file that is included: clusters, and nothing else."""

    clusters: tuple[ClusterConfig, ...] = ()


class Config(Strict):
    """The whole file."""

    clusters: tuple[ClusterConfig, ...] = ()
    include: str | None = None  # further files with clusters: a pattern, beside this file
    defaults: DefaultsConfig = DefaultsConfig()
    alerts: AlertsConfig = AlertsConfig()
    ledger: Path | None = None

    def resolved(self) -> tuple[ClusterConfig, ...]:
        """The clusters with the defaults filled in."""
        fields = ("poll", "scan", "depth", "timeout", "reverify", "io_limit")
        return tuple(
            cluster.model_copy(
                update={
                    name: getattr(self.defaults, name)
                    for name in fields
                    if getattr(cluster, name) is None
                }
                | {"drill": cluster.drilled(self.defaults.drill)}
            )
            for cluster in self.clusters
        )


def directory_of(url: str) -> str:
    """Give the absolute path behind a path or file: URL. Raises ValueError for other schemes."""
    path = url.removeprefix("file://") if url.startswith("file://") else url
    if "://" in path:
        raise ValueError(f"{url!r}: only directories are read so far (a path, or file:///path)")
    if not path.startswith("/"):
        raise ValueError(f"{url!r} is not an absolute path")
    return path
