"""Reading the configuration: YAML, validated to the last key, every complaint with file and line.

`include` names further files that hold clusters, as `conf.d/*.yaml`; they are read in the order of
their names.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from agent.config.exposed import warn_of_passwords
from agent.config.model import ClusterConfig, Config, IncludedConfig
from agent.config.place import PlaceConfig
from agent.near import did_you_mean
from agent.store.urls import StoreSettings, adopt
from parsers.sentences import joined, message_of, tr

M = TypeVar("M", bound=BaseModel)
Location = tuple[int | str, ...]
Lines = Mapping[Location, int]


# What pydantic says in Python's words, in YAML's.
_EXPECTED: Final = {
    "model_type": tr("keys with their values, as `name: value`"),
    "dict_type": tr("keys with their values, as `name: value`"),
    "tuple_type": tr("a list, as [one, two] or lines that begin with -"),
    "string_type": tr("text: put it in quotes"),
    "path_type": tr("a path: put it in quotes"),
}

_BOUNDS: Final = {
    "greater_than": tr("Input should be greater than {gt:g}"),
    "greater_than_equal": tr("Input should be greater than or equal to {ge}"),
    "less_than_equal": tr("Input should be less than or equal to {le}"),
}


_QUOTED: Final = re.compile(r"'([^']*)'")


class ConfigError(Exception):
    """The file is wrong. The message is one or more lines `file:line: what was expected`."""


class _Part(NamedTuple):
    path: Path
    clusters: tuple[ClusterConfig, ...]
    lines: Lines


def load_config(path: Path) -> Config:
    """Read and validate the file and what it includes.

    Raises ConfigError with every complaint of the first file that is wrong, each with its line.
    """
    config, lines = read_model(path, Config)
    parts = [_Part(path, config.clusters, lines)]
    for included in _included(path, config.include, lines):
        more, its_lines = read_model(included, IncludedConfig)
        parts.append(_Part(included, more.clusters, its_lines))
    _refuse_duplicates(parts)
    _refuse_unknown_classes(parts, config)
    clusters = tuple(cluster for part in parts for cluster in part.clusters)
    if not clusters:
        asked = "clusters" in config.model_fields_set or config.include is not None
        missing = (
            tr("clusters: at least one cluster is needed") if asked else tr("'clusters' is missing")
        )
        raise ConfigError(tr("{path}:1: {missing}", path=path, missing=missing))
    adopt(_stores(parts))
    for part in parts:
        warn_of_passwords(part.path, part.clusters, config.alerts if part is parts[0] else None)
    return config.model_copy(update={"clusters": clusters})


def read_model(path: Path, model: type[M]) -> tuple[M, Lines]:
    """Read one YAML file as this model, and the line of every key. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else tr("not UTF-8 text")
        raise ConfigError(
            tr("{path}: cannot be read: {reason}", path=path, reason=reason)
        ) from None
    document, lines = _compose(path, text)
    try:
        return model.model_validate(document), lines
    except ValidationError as error:
        complaints = sorted(
            (_line_of(lines, item["loc"]), _complaint(item, model)) for item in error.errors()
        )
        raise ConfigError(
            joined(
                "\n",
                (
                    tr("{path}:{line}: {text}", path=path, line=line, text=text)
                    for line, text in complaints
                ),
            )
        ) from None


def _included(path: Path, pattern: str | None, lines: Lines) -> list[Path]:
    if pattern is None:
        return []
    try:
        found = sorted(
            Path("/").glob(pattern[1:]) if pattern.startswith("/") else path.parent.glob(pattern)
        )
    except (ValueError, NotImplementedError) as error:
        raise ConfigError(
            tr(
                "{path}:{line}: include: {error}",
                path=path,
                line=_line_of(lines, ("include",)),
                error=error,
            )
        ) from None
    if not found and not any(char in pattern for char in "*?["):
        line = _line_of(lines, ("include",))
        raise ConfigError(
            tr(
                "{path}:{line}: include: {pattern}: there is no such file",
                path=path,
                line=line,
                pattern=pattern,
            )
        )
    return found


def _refuse_duplicates(parts: list[_Part]) -> None:
    seen: dict[str, tuple[Path, int]] = {}
    for part in parts:
        for index, cluster in enumerate(part.clusters):
            line = _line_of(part.lines, ("clusters", index, "name"))
            if cluster.name in seen:
                path, before = seen[cluster.name]
                where = tr("on line {line}", line=before)
                if path != part.path:
                    where = tr("in {path}:{line}", path=path, line=before)
                raise ConfigError(
                    tr(
                        "{path}:{line}: cluster name {name!r} is taken already {where}: each "
                        "needs a name of its own",
                        path=part.path,
                        line=line,
                        name=cluster.name,
                        where=where,
                    )
                )
            seen[cluster.name] = part.path, line


def _refuse_unknown_classes(parts: list[_Part], config: Config) -> None:
    """An included file has no classes of its own: they are those of the first."""
    for part in parts:
        for index, cluster in enumerate(part.clusters):
            name = cluster.protection_class
            if name is not None and name not in config.classes:
                meant = did_you_mean(name, config.classes)
                known = ", ".join(config.classes) or tr("none: `classes` is not there")
                raise ConfigError(
                    tr(
                        "{path}:{line}: there is no class {name!r}{meant} the classes are {known}",
                        path=part.path,
                        line=_line_of(part.lines, ("clusters", index, "class")),
                        name=name,
                        meant=meant or ":",
                        known=known,
                    )
                )


def _stores(parts: list[_Part]) -> dict[str, StoreSettings]:
    """How the stores are reached. Raises ConfigError where two places disagree about one."""
    found: dict[str, StoreSettings] = {}
    for part in parts:
        for at, place in _places(part.clusters):
            if found.setdefault(place.url, place.settings) != place.settings:
                raise ConfigError(
                    tr(
                        "{path}:{line}: {url} has another endpoint, region or credentials "
                        "elsewhere: give it the same",
                        path=part.path,
                        line=_line_of(part.lines, at),
                        url=place.url,
                    )
                )
    return {url: settings for url, settings in found.items() if settings != StoreSettings()}


def _places(clusters: Sequence[ClusterConfig]) -> Iterator[tuple[Location, PlaceConfig]]:
    """Every place that is read, and where its url is written."""
    for index, cluster in enumerate(clusters):
        for number, archive in enumerate(cluster.archives):
            yield ("clusters", index, "archives", number, "url"), archive
        if cluster.backups is not None:
            yield ("clusters", index, "backups", "url"), cluster.backups
        for number, repository in enumerate(cluster.repositories):
            if repository.url:
                yield ("clusters", index, "repositories", number, "url"), repository


def _compose(path: Path, text: str) -> tuple[object, Lines]:
    """Parse the YAML into plain values and remember the line of every key and item."""
    lines: dict[Location, int] = {(): 1}
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if root is not None:
            for location, line in _walk(root, ()):
                if lines.setdefault(location, line) != line:
                    raise ConfigError(
                        tr(
                            "{path}:{line}: key {key!r} is there twice",
                            path=path,
                            line=line,
                            key=location[-1],
                        )
                    )
        return (loader.construct_document(root) if root is not None else {}), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(
            tr("{where}: not YAML: {problem}", where=where, problem=error.problem)
        ) from None
    except yaml.YAMLError as error:
        raise ConfigError(tr("{path}: not YAML: {error}", path=path, error=error)) from None
    finally:
        loader.dispose()


def _walk(node: yaml.Node, location: Location) -> Iterator[tuple[Location, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue  # the loader complains of it
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


def _complaint(item: Any, model: type[BaseModel]) -> str:
    key = ".".join(str(part) for part in item["loc"]) or tr("the file")
    if item["type"] == "extra_forbidden":
        known = _keys_at(model, item["loc"][:-1])
        meant = did_you_mean(str(item["loc"][-1]), known)
        return tr(
            "unknown key {key!r}{meant} expected one of {known}",
            key=key,
            meant=meant or ":",
            known=", ".join(known),
        )
    if item["type"] == "missing":
        return tr("{key!r} is missing", key=item["loc"][-1])
    if item["type"] in _EXPECTED:
        return tr("{key}: expected {what}", key=key, what=_EXPECTED[item["type"]])
    context = item.get("ctx", {})
    message, meant, of_ours = item["msg"], "", context.get("error")
    if isinstance(of_ours, Exception):
        message = message_of(of_ours)
    elif item["type"] == "literal_error":
        expected = context["expected"]
        first, _, last = expected.rpartition(" or ")
        if first:
            expected = tr("{first} or {last}", first=first, last=last)
        message = tr("Input should be {expected}", expected=expected)
        meant = did_you_mean(str(item["input"]), _QUOTED.findall(context["expected"]))
    elif item["type"] in _BOUNDS:
        message = tr(_BOUNDS[item["type"]], **context)
    return tr("{key}: {message}{meant}", key=key, message=message, meant=meant)


def _keys_at(model: type[BaseModel], location: Location) -> list[str]:
    """The keys that the mapping at `location` may have, by walking the models."""
    for part in location:
        if isinstance(part, str) and part in model.model_fields:  # else a name that it is told by
            model = _model_in(model.model_fields[part].annotation) or model
    return [each.alias or name for name, each in model.model_fields.items()]


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The model inside `Model`, `Model | None` or `tuple[Model, ...]`."""
    for candidate in (annotation, *typing.get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None
