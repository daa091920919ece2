"""What the configuration says, as values. How the file is read is in `file.py`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from agent.archive.limits import REVERIFY_SECONDS
from agent.backups.describe import BackupDepth
from agent.config.alerts import AlertsConfig
from agent.config.drills import NEVER, DrillConfig
from agent.config.dsn import check_dsn
from agent.config.evidence import EvidenceConfig
from agent.config.fields import Seconds, ServerVersion, Strict, zone_named
from agent.config.place import PlaceConfig
from agent.config.rates import parse_rate
from agent.config.repositories import EVERY, RepositoryConfig
from agent.dask_scan.address import scheduler_url
from agent.language import ENGLISH, known_locale, languages
from agent.store.urls import is_remote
from parsers.segment import parse_wal_name
from parsers.sentences import tr
from parsers.values import dataclass
from rules.case.context import Context
from rules.model.facts import Objectives
from rules.model.repository import Via, Way
from rules.model.sequence import AcknowledgedGap


def _bytes_per_second(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(tr("{value!r} is not a rate: write 50MB/s", value=value))
    return parse_rate(value)


_BACKUP_DEPTHS: Final[tuple[BackupDepth, ...]] = ("label", "files", "checksums", "pages")
ScanDepth = Literal["names", "headers", "records"]
SchedulerUrl = Annotated[str, BeforeValidator(scheduler_url)]
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_OWN_LABELS: Final = ("cluster", "protection_class")  # of pitr_cluster_info
BytesPerSecond = Annotated[float, BeforeValidator(_bytes_per_second), Field(gt=0)]


class ArchiveConfig(PlaceConfig):
    """Where WAL is archived."""

    layout: Literal["auto", "directory"] = "auto"


class BackupsConfig(PlaceConfig):
    """Where base backups lie, one or what holds them, and how closely to look."""

    depth: Literal["label", "files", "checksums", "pages"] = "files"


class ObjectivesConfig(Strict):
    """What the owner wants. `rpo` also bounds how long a segment may wait for the archiver."""

    rpo: Seconds = 300.0
    rto: Seconds | None = None
    window: Seconds | None = None
    backup_age: Seconds | None = None
    drill_age: Seconds | None = None
    copies: Annotated[int, Field(ge=1, strict=True)] | None = None

    def facts(self) -> Objectives:
        return Objectives(
            rpo_seconds=self.rpo,
            rto_seconds=self.rto,
            window_seconds=self.window,
            backup_age_seconds=self.backup_age,
            drill_age_seconds=self.drill_age,
            copies=self.copies,
        )


class AcknowledgedGapConfig(Strict):
    """A gap that is known and will not be repaired."""

    timeline: Annotated[int, Field(ge=1)]
    first: str
    last: str
    why: Annotated[str, Field(min_length=1)]

    @field_validator("first", "last")
    @classmethod
    def _is_a_segment(cls, name: str) -> str:
        parsed = parse_wal_name(name)
        if parsed is None or parsed.plain != parsed.segment or parsed.compression:
            raise ValueError(
                tr("{name!r} is not a WAL segment name (24 hexadecimal digits)", name=name)
            )
        return name

    @model_validator(mode="after")
    def _is_a_run(self) -> AcknowledgedGapConfig:
        if self.first > self.last:
            raise ValueError(
                tr(
                    "the first, {first}, comes after the last, {last}",
                    first=self.first,
                    last=self.last,
                )
            )
        for name in (self.first, self.last):
            if int(name[:8], 16) != self.timeline:
                raise ValueError(
                    tr("{name} is not of timeline {timeline}", name=name, timeline=self.timeline)
                )
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
    repositories: tuple[RepositoryConfig, ...] = ()
    via: Via = "tool"
    log: Path | None = None
    log_line_prefix: str | None = None
    log_timezone: str | None = None
    server_version: ServerVersion | None = None
    protection_class: str | None = Field(default=None, alias="class")
    labels: Mapping[str, str] = Field(default_factory=dict)
    objectives: ObjectivesConfig = ObjectivesConfig()
    acknowledged_gaps: tuple[AcknowledgedGapConfig, ...] = ()
    poll: Seconds | None = None
    scan: Seconds | None = None
    timeout: Seconds | None = None
    reverify: Seconds | None = None
    relist: Seconds | None = None
    io_limit: BytesPerSecond | None = None
    scan_on: SchedulerUrl | None = None
    depth: ScanDepth | None = None
    drill: DrillConfig | None = None

    def drill_keys(self, defaults: DefaultsConfig) -> DrillConfig:
        """How this cluster is drilled, whether or not a schedule says when."""
        return self.drill.over(defaults.drill) if self.drill else defaults.drill

    @field_validator("name")
    @classmethod
    def _is_printable(cls, name: str) -> str:
        if not name.strip():
            raise ValueError(tr("a name of spaces cannot be told from another"))
        if not name.isprintable():
            raise ValueError(tr("{name!r} has characters that cannot be shown", name=name))
        return name

    @field_validator("labels")
    @classmethod
    def _are_labels(cls, labels: Mapping[str, str]) -> Mapping[str, str]:
        for name, value in labels.items():
            if not _LABEL.fullmatch(name) or name.startswith("__"):
                raise ValueError(
                    tr("{name!r} is not a label's name: letters, digits and _", name=name)
                )
            if name in _OWN_LABELS:
                raise ValueError(
                    tr("{name!r} is a label that pitr_cluster_info has by itself", name=name)
                )
            if not value.isprintable():
                raise ValueError(
                    tr(
                        "{name}: {value!r} has characters that cannot be shown",
                        name=name,
                        value=value,
                    )
                )
        return labels

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
            zone_named(name, tr("as log_timezone has it"))
        return name

    @model_validator(mode="after")
    def _has_a_source(self) -> ClusterConfig:
        if not (self.dsn or self.archives or self.backups or self.repositories or self.log):
            raise ValueError(
                tr("a cluster needs at least one of dsn, archives, backups, repositories, log")
            )
        return self

    @model_validator(mode="after")
    def _has_repositories_of_one_kind(self) -> ClusterConfig:
        if len(self.repositories) > 1 and not all(each.url for each in self.repositories):
            raise ValueError(
                tr("a tool's configuration names all repositories: no others beside it")
            )
        if any(each.name == EVERY for each in self.repositories):
            one = [key for key in ("dsn", "archives", "backups", "log") if getattr(self, key)]
            if one:
                raise ValueError(
                    tr("'*' stands for many clusters, and {one} is of one", one=one[0])
                )
        return self

    @model_validator(mode="after")
    def _can_be_drilled(self) -> ClusterConfig:
        wanted = self.drill is not None and self.drill.schedule != NEVER
        if wanted and not (self.repositories or (self.archives and self.backups)):
            raise ValueError(tr("a drill needs archives and backups: name both, or no schedule"))
        return self


class DefaultsConfig(Strict):
    """What holds for every cluster that does not say otherwise."""

    poll: Seconds = 15.0
    scan: Seconds = 300.0
    depth: ScanDepth = "records"
    timeout: Seconds = 10.0
    reverify: Seconds = REVERIFY_SECONDS
    relist: Seconds = 3600.0
    io_limit: BytesPerSecond | None = None
    scan_on: SchedulerUrl | None = None
    drill: DrillConfig = DrillConfig()


class IncludedConfig(Strict):
    """A file that is included: clusters, and nothing else."""

    clusters: tuple[ClusterConfig, ...] = ()


class Config(Strict):
    """The whole file."""

    clusters: tuple[ClusterConfig, ...] = ()
    classes: Mapping[str, ObjectivesConfig] = Field(default_factory=dict)
    lang: str | None = None  # of the page and of notifications; None: English
    include: str | None = None  # further files with clusters: a pattern, beside this file
    defaults: DefaultsConfig = DefaultsConfig()
    alerts: AlertsConfig = AlertsConfig()
    ledger: Path | None = None
    evidence: EvidenceConfig | None = None

    @field_validator("lang")
    @classmethod
    def _is_spoken(cls, lang: str | None) -> str | None:
        if lang not in (None, ENGLISH) and not known_locale(lang):
            there = ", ".join(sorted({ENGLISH, *languages()}))
            raise ValueError(
                tr("{lang!r} is not spoken: choose one of {there}", lang=lang, there=there)
            )
        return lang

    @field_validator("classes")
    @classmethod
    def _have_names(cls, classes: Mapping[str, ObjectivesConfig]) -> Mapping[str, ObjectivesConfig]:
        for name in classes:
            if not name.strip() or not name.isprintable():
                raise ValueError(
                    tr("{name!r} is no name for a class: it cannot be shown", name=name)
                )
        return classes

    def resolved(self) -> tuple[ResolvedCluster, ...]:
        """The clusters with the defaults filled in: what all but the file's reader works with."""
        return tuple(_resolve(each, self) for each in self.clusters)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedCluster:
    """A cluster as it is watched: None means absent, never that a default holds."""

    name: str
    dsn: str | None
    archives: tuple[ArchiveConfig, ...]
    backups: BackupsConfig | None
    repositories: tuple[RepositoryConfig, ...]
    via: Via
    log: Path | None
    log_line_prefix: str | None  # None: detected
    log_timezone: str | None  # None: the log names its own
    server_version: int | None  # server_version_num; None: the server or its log may tell
    protection_class: str | None  # None: it is in none
    labels: Mapping[str, str]
    objectives: ObjectivesConfig  # with those of its class
    acknowledged_gaps: tuple[AcknowledgedGapConfig, ...]
    poll: float  # seconds, as the four after it
    scan: float
    timeout: float
    reverify: float
    relist: float
    io_limit: float | None  # bytes per second; None: no limit
    scan_on: str | None  # the scheduler of a Dask cluster; None: this process reads
    depth: ScanDepth
    drill: DrillConfig | None  # None: it is not drilled
    evidence: EvidenceConfig | None  # None: nothing is signed

    @property
    def is_remote(self) -> bool:
        """Whether anything of it is known to lie in an object store."""
        places = (*self.archives, *((self.backups,) if self.backups else ()), *self.repositories)
        return any(is_remote(place.url) for place in places)

    @property
    def has_archives(self) -> bool:
        return bool(self.archives or self.repositories)

    @property
    def has_backups(self) -> bool:
        return bool(self.backups or self.repositories)

    @property
    def says_of_backups(self) -> bool:
        """False: an archive alone, from which nothing can be restored."""
        return self.has_backups or not self.has_archives

    @property
    def backup_depth(self) -> BackupDepth:
        """How closely to look at the backups: as closely as any of its places asks for."""
        asked = [each.depth for each in (*self.repositories, self.backups) if each is not None]
        return max(asked, key=_BACKUP_DEPTHS.index, default="files")

    def wanted(self, now: datetime) -> Objectives:
        """As configured; how old a good drill may be follows from its schedule if not said."""
        wanted = self.objectives.facts()
        if self.drill is None or wanted.drill_age_seconds is not None:
            return wanted
        return replace(wanted, drill_age_seconds=self.drill.age_seconds(now))

    def context(self, now: datetime) -> Context:
        """What holds for every look at this cluster."""
        return Context(
            depth=self.depth,
            objectives=self.wanted(now),
            acknowledged=tuple(gap.facts() for gap in self.acknowledged_gaps),
            way=Way(via=self.via),
            server_version=self.server_version,
            watches_server=self.dsn is not None,
        )


def _resolve(cluster: ClusterConfig, config: Config) -> ResolvedCluster:
    keys = dict(config.defaults)
    keys.update((name, value) for name, value in cluster if value is not None or name not in keys)
    if named := cluster.protection_class:
        keys["objectives"] = cluster.objectives.over(config.classes[named])
    drill = cluster.drill_keys(config.defaults)
    can_be = cluster.repositories or (cluster.archives and cluster.backups)
    keys["drill"] = drill if can_be and drill.schedule != NEVER else None
    return ResolvedCluster(**keys, evidence=config.evidence)
