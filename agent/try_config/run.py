"""A whole configuration, tried: the lines to print, and whether all of it works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agent.config.fleet import with_fleets
from agent.config.model import Config, ResolvedCluster
from agent.denied import reason
from agent.language import say
from agent.store.urls import is_remote
from agent.try_config.files import try_files, try_ledger
from agent.try_config.tried import Tried
from parsers.sentences import tr


def try_config(config: Config) -> Iterator[tuple[str, Tried]]:
    """Each source of each cluster, as (cluster, what it gave), as it comes; then the ledger."""
    for cluster in with_fleets(config).resolved():
        for tried in _try_cluster(cluster):
            yield cluster.name, tried
    if config.ledger is not None:
        yield "", try_ledger(config.ledger)


def _try_cluster(cluster: ResolvedCluster) -> Iterator[Tried]:
    if cluster.dsn is not None:
        from agent.try_config.server import try_server

        yield from try_server(cluster.dsn, cluster.timeout)
    yield from try_files(cluster)


def tried_lines(tried: Tried) -> Iterator[str]:
    """What a person reads of one source."""
    yield tr(
        "  {state:5}  {source}: {said}",
        state=tr("ok") if tried.works else tr("WRONG"),
        source=tried.source,
        said=tried.said,
    )
    for number, line in enumerate(tried.to_type):
        first = say(tr("type:"))
        before = first if number == 0 else " " * len(first)
        yield tr("         {before} {line}", before=before, line=line)


def absent_places(config: Config) -> Iterator[str]:
    """The local places that the configuration names and that are not there, each with the reason.

    Nothing is listed: whether what is there can be read is for `try_config`.
    """
    for place in dict.fromkeys(_places(config)):
        try:
            Path(place).stat()
        except OSError as error:
            yield tr("{place}: {reason}", place=place, reason=reason(error, place))


def _places(config: Config) -> Iterator[str]:
    for cluster in config.clusters:
        backups = (cluster.backups,) if cluster.backups else ()
        for place in (*cluster.archives, *backups, *cluster.repositories):
            if place.url and not is_remote(place.url):
                yield place.url
        if cluster.log is not None:
            yield str(cluster.log)
    if config.ledger is not None:
        yield str(config.ledger.parent)
