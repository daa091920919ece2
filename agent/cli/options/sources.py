"""The options that name what to read: archives, backups, a cluster of the configuration.

Alike for `pitr-check` and its subcommands.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.cli import entry
from agent.cli.options import cost, repository_options
from agent.cli.options.drill_options import take_drill_from
from agent.cli.options.without_effect import of_reading, of_sources, refuse
from agent.errors import UsageError
from agent.near import did_you_mean
from agent.store.spellings import read_here_as
from agent.store.urls import SCHEMES, is_remote, take
from parsers.sentences import tr

if TYPE_CHECKING:
    from agent.config.model import Config

_OPTIONS: Final = {"archives": "--archive", "elsewhere": "--wal", "backups": "--backup"}


def add_sources(what: argparse._ArgumentGroup) -> None:
    """The options that name archives and backups: of this command and of its subcommands."""
    what.add_argument(
        "--archive",
        action="append",
        default=[],
        metavar="URL",
        dest="archives",
        help="a directory that archive_command writes to, or its place in an object store"
        " (s3://bucket/prefix, gs://, az://) or on a host (sftp://user@host/path); may be repeated",
    )
    what.add_argument(
        "--wal",
        action="append",
        default=[],
        metavar="URL",
        dest="elsewhere",
        help="WAL outside any archive, as a dead primary's pg_wal, or where it was saved to"
        " (s3:// and the like); may be repeated",
    )
    what.add_argument(
        "--backup",
        action="append",
        default=[],
        metavar="URL",
        dest="backups",
        help="a base backup, plain or tar, here or in an object store; may be repeated",
    )
    what.add_argument(
        "--backups",
        metavar="URL",
        dest="backups_below",
        help="where base backups lie: a directory, or a prefix in an object store",
    )
    what.add_argument(
        "--layout",
        choices=("auto", "directory"),
        help="how the archives are laid out: auto (default) tells it from what is there;"
        " directory, the one known today, is WAL files flat or nested by date, plain or compressed",
    )
    what.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="apply what the agent's configuration says of the cluster, schedules apart; the server"
        " (dsn) and its log are not read",
    )
    what.add_argument("--cluster", metavar="NAME", help="cluster name in FILE")


def complete_sources(arguments: argparse.Namespace) -> None:
    """Fill in the archives and backups of a configured cluster, and refuse an empty question."""
    arguments.context, arguments.configured = None, ()  # what the configuration says
    if arguments.cluster and not arguments.config:
        raise UsageError(tr("--cluster needs --config FILE"))
    reverify, backup_depth = arguments.reverify, getattr(arguments, "backup_depth", None)
    if arguments.config:
        _take_from_config(arguments)
    _complete(arguments, reverify, backup_depth)


def complete_cluster(arguments: argparse.Namespace, config: Config, index: int) -> None:
    """The same for one cluster of a configuration that is read already."""
    arguments.context, arguments.configured = None, ()
    reverify, backup_depth = arguments.reverify, arguments.backup_depth
    _take_cluster(arguments, config, index)
    _complete(arguments, reverify, backup_depth)


def _complete(
    arguments: argparse.Namespace, reverify: float | None, backup_depth: str | None
) -> None:
    """`reverify` and `backup_depth` are what was typed."""
    repository_options.take(arguments)
    if (
        not any((arguments.archives, arguments.elsewhere, arguments.backups))
        and arguments.backups_below is None
        and not arguments.repositories
    ):
        raise UsageError(
            tr(
                "nothing to check: name an --archive and a --backup, or a "
                "--repository (type  pitr-check --help)"
            )
        )
    for name in ("archives", "elsewhere", "backups"):
        paths = [place_of(_OPTIONS[name], url) for url in getattr(arguments, name)]
        setattr(arguments, name, list({os.path.normpath(path): path for path in paths}.values()))
    if arguments.backups_below is not None:
        arguments.backups_below = place_of("--backups", arguments.backups_below)
    arguments.depth = getattr(arguments, "depth", None) or "records"
    refuse(of_sources(arguments, backup_depth=backup_depth))
    refuse(of_reading(arguments, reverify=reverify))
    arguments.backup_depth = getattr(arguments, "backup_depth", None) or "files"
    cost.check(arguments)


def place_of(option: str, url: str) -> str:
    """A path, or an address of a store. Raises UsageError."""
    if not is_remote(url):
        return _path(option, url)
    try:
        return take(url)
    except ValueError as error:
        raise UsageError(tr("{option} {error}", option=option, error=error)) from None


def _path(option: str, url: str) -> str:
    path = url.removeprefix("file://")
    if not path:  # an unset variable in a script: "" would be the working directory
        raise UsageError(tr("an --archive, --wal, --backup or --backups is empty: name it"))
    if not os.path.lexists(path):
        refuse_other_spelling(option, path)
    return path


def refuse_other_spelling(option: str, path: str) -> None:
    """Raise UsageError for an address of a kind, or in a spelling, that is not read."""
    meant = read_here_as(path)
    if meant is not None:
        raise UsageError(tr("{option}: write the address as {meant}", option=option, meant=meant))
    if "://" in path:
        scheme = path.partition("://")[0]  # what follows may hold a password
        known = ", ".join(SCHEMES)
        raise UsageError(
            tr(
                "{scheme}:// is not read: name a path, or one of file:///path, {known}",
                scheme=scheme,
                known=known,
            )
        )


def _take_from_config(arguments: argparse.Namespace) -> None:
    config = read_config(arguments.config)
    names = [cluster.name for cluster in config.clusters]
    if arguments.cluster is None and len(names) > 1:
        raise UsageError(tr("which one? --cluster NAME, one of {names}", names=", ".join(names)))
    arguments.cluster = arguments.cluster or names[0]
    if arguments.cluster not in names:
        meant = did_you_mean(arguments.cluster, names)
        raise UsageError(
            tr(
                "no cluster {cluster!r}: the file has {names}{meant}",
                cluster=arguments.cluster,
                names=", ".join(names),
                meant=meant,
            )
        )
    _take_cluster(arguments, config, names.index(arguments.cluster))


def read_config(path: Path) -> Config:
    """The configuration, with a cluster for each that a `*` stands for. Raises UsageError."""
    from agent.config.file import ConfigError, load_config
    from agent.config.fleet import with_fleets

    try:
        return with_fleets(load_config(path))
    except ConfigError as error:
        raise UsageError(tr("the configuration is wrong:\n{error}", error=error)) from None


def _take_cluster(arguments: argparse.Namespace, config: Config, index: int) -> None:
    cluster = config.resolved()[index]
    arguments.archives = arguments.archives or [archive.url for archive in cluster.archives]
    if not arguments.backups and arguments.backups_below is None and cluster.backups:
        arguments.backups_below = cluster.backups.url
    arguments.configured = cluster.repositories
    arguments.context = cluster.context(entry.now(getattr(arguments, "now", None)))
    if "depth" in arguments:  # find reads records whatever the agent does
        arguments.depth = arguments.depth or arguments.context.depth
    if cluster.has_backups:
        arguments.backup_depth = getattr(arguments, "backup_depth", None) or cluster.backup_depth
    cost.take_from(config, cluster, arguments)
    if getattr(arguments, "drill", False):
        take_drill_from(config.clusters[index].drill_keys(config.defaults), arguments)
