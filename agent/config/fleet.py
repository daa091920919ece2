"""A cluster for each stanza or server of a repository: `stanza: "*"`."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Final

from agent.config.model import ClusterConfig, Config
from agent.config.repositories import EVERY, RepositoryConfig, places_of
from agent.errors import CannotCheck, UsageError
from agent.repositories import configured
from agent.repositories.opening import find_repository

log: Final = logging.getLogger("pitr.config")


def with_fleets(config: Config) -> Config:
    """The same, with a cluster of its own for every name that a `*` stands for today.

    Where its repository cannot be read the cluster stays, and is not known.
    """
    taken = {cluster.name for cluster in config.clusters}
    clusters: list[ClusterConfig] = []
    for cluster in config.clusters:
        names = _names(cluster) if any(each.name == EVERY for each in cluster.repositories) else []
        if not names:
            clusters.append(cluster)
        for made in _members(cluster, names):
            if made.name in taken:
                log.warning("%s: the name is taken: %s is left out", cluster.name, made.name)
                continue
            taken.add(made.name)
            clusters.append(made)
    return config.model_copy(update={"clusters": tuple(clusters)})


def _members(cluster: ClusterConfig, names: Sequence[str]) -> Iterator[ClusterConfig]:
    for name in names:
        in_all = [each.named(name) if each.name == EVERY else each for each in cluster.repositories]
        wanted = cluster.name.replace(EVERY, name)
        if EVERY not in cluster.name:
            wanted = f"{cluster.name}/{name}"
        yield cluster.model_copy(update={"name": wanted, "repositories": tuple(in_all)})


def _names(cluster: ClusterConfig) -> list[str]:
    """Of the stanzas or servers of its repositories."""
    found: set[str] = set()
    for each in cluster.repositories:
        if each.name == EVERY:
            try:
                found |= set(_names_in(each))
            except (CannotCheck, UsageError) as error:
                log.warning("%s: %s", cluster.name, error)
    return sorted(found)


def _names_in(each: RepositoryConfig) -> Sequence[str]:
    if each.barman:
        return configured.barman_servers(None if each.barman is True else each.barman)
    anyone = each.model_copy(update={"stanza": None})
    return [name for place in places_of([anyone]) for name in find_repository(place).names]
