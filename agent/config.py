"""The configuration file: YAML, validated to the last key, every complaint with file and line."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from agent.archive.limits import REVERIFY_SECONDS
from agent.durations import parse_duration
from agent.rates import parse_rate
from parsers.segment import parse_wal_name
from rules.facts import Objectives
from rules.sequence import AcknowledgedGap


class ConfigError(Exception):
    """The file is wrong. The message is one or more lines `file:line: what was expected`."""


def _seconds(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _bytes_per_second(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a rate: write 50MB/s")
    return parse_rate(value)


Seconds = Annotated[float, BeforeValidator(_seconds), Field(gt=0)]
BytesPerSecond = Annotated[float, BeforeValidator(_bytes_per_second), Field(gt=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ArchiveConfig(_Strict):
    """Where WAL is archived: a directory, as a path or a file: URL."""

    url: str
    layout: Literal["auto", "directory"] = "auto"

    @field_validator("url")
    @classmethod
    def _is_a_path(cls, url: str) -> str:
        return directory_of(url)


class BackupsConfig(_Strict):
    """Where base backups lie: one backup, or a directory that holds them."""

    url: str

    @field_validator("url")
    @classmethod
    def _is_a_path(cls, url: str) -> str:
        return directory_of(url)


class ObjectivesConfig(_Strict):
    """What the owner wants. `rpo` also bounds how long a segment may wait for the archiver."""

    rpo: Seconds = 300.0
    rto: Seconds | None = None
    window: Seconds | None = None
    backup_age: Seconds | None = None

    def facts(self) -> Objectives:
        return Objectives(
            rpo_seconds=self.rpo,
            rto_seconds=self.rto,
            window_seconds=self.window,
            backup_age_seconds=self.backup_age,
        )


class AcknowledgedGapConfig(_Strict):
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

    def facts(self) -> AcknowledgedGap:
        return AcknowledgedGap(
            timeline=self.timeline, first=self.first, last=self.last, why=self.why
        )


class ClusterConfig(_Strict):
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

    @field_validator("log_timezone")
    @classmethod
    def _is_a_zone(cls, name: str | None) -> str | None:
        try:
            ZoneInfo(name or "UTC")
        except (OSError, ValueError):
            raise ValueError(
                f"{name!r} is not a time zone: write it as log_timezone has it"
            ) from None
        return name

    @model_validator(mode="after")
    def _has_a_source(self) -> ClusterConfig:
        if not (self.dsn or self.archives or self.backups or self.log):
            raise ValueError("a cluster needs at least one of dsn, archives, backups, log")
        return self


class DefaultsConfig(_Strict):
    """What holds for every cluster that does not say otherwise."""

    poll: Seconds = 15.0
    scan: Seconds = 300.0
    depth: Literal["names", "headers", "records"] = "records"
    timeout: Seconds = 10.0
    reverify: Seconds = REVERIFY_SECONDS
    io_limit: BytesPerSecond | None = None


class AlertsConfig(_Strict):
    """When a finding becomes an alert."""

    hold: Seconds | None = None  # instead of each check's own patience


class Config(_Strict):
    """The whole file."""

    clusters: tuple[ClusterConfig, ...]
    defaults: DefaultsConfig = DefaultsConfig()
    alerts: AlertsConfig = AlertsConfig()
    ledger: Path | None = None

    @field_validator("clusters")
    @classmethod
    def _has_one(cls, clusters: tuple[ClusterConfig, ...]) -> tuple[ClusterConfig, ...]:
        if not clusters:
            raise ValueError("at least one cluster is needed")
        return clusters

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


def load_config(path: Path) -> Config:
    """Read and validate the file. Raises ConfigError with every complaint, each with its line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read: {reason}") from None
    document, lines = _compose(path, text)
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        complaints = sorted((_line_of(lines, e["loc"]), _complaint(e)) for e in error.errors())
        raise ConfigError(
            "\n".join(f"{path}:{line}: {text}" for line, text in complaints)
        ) from None
    _refuse_duplicates(path, config, lines)
    return config


def _refuse_duplicates(path: Path, config: Config, lines: Lines) -> None:
    seen: dict[str, int] = {}
    for index, cluster in enumerate(config.clusters):
        line = _line_of(lines, ("clusters", index, "name"))
        if cluster.name in seen:
            raise ConfigError(
                f"{path}:{line}: cluster name {cluster.name!r} is taken already "
                f"on line {seen[cluster.name]}: each needs a name of its own"
            )
        seen[cluster.name] = line


Location = tuple[int | str, ...]
Lines = Mapping[Location, int]


def _compose(path: Path, text: str) -> tuple[object, Lines]:
    """Parse the YAML into plain values and remember the line of every key and item."""
    lines: dict[Location, int] = {(): 1}
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if root is not None:
            for location, line in _walk(root, ()):
                if lines.setdefault(location, line) != line:
                    raise ConfigError(f"{path}:{line}: key {location[-1]!r} is there twice")
        return (loader.construct_document(root) if root is not None else {}), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(f"{where}: not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {error}") from None
    finally:
        loader.dispose()


def _walk(node: yaml.Node, location: Location) -> Iterator[tuple[Location, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*location, key.value), key.start_mark.line + 1
            yield from _walk(value, (*location, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*location, index), value.start_mark.line + 1
            yield from _walk(value, (*location, index))


def _line_of(lines: Lines, location: Location) -> int:
    """The line of the nearest thing that exists: a missing key is reported at its parent."""
    while location not in lines:
        location = location[:-1]
    return lines[location]


def _complaint(item: Any) -> str:
    key = ".".join(str(part) for part in item["loc"]) or "the file"
    if item["type"] == "extra_forbidden":
        expected = ", ".join(_keys_at(item["loc"][:-1]))
        return f"unknown key {key!r}: expected one of {expected}"
    if item["type"] == "missing":
        return f"{item['loc'][-1]!r} is missing"
    message = item["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return f"{key}: {message}"


def _keys_at(location: Location) -> list[str]:
    """The keys that the mapping at `location` may have, by walking the models."""
    model: type[BaseModel] = Config
    for part in location:
        if isinstance(part, str):
            model = _model_in(model.model_fields[part].annotation) or model
    return list(model.model_fields)


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The model inside `Model`, `Model | None` or `tuple[Model, ...]`."""
    for candidate in (annotation, *typing.get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None
