"""The options that name repositories of other tools, alike for all that read archives."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from agent.errors import UsageError
from agent.store.spellings import read_here_as
from agent.store.urls import is_remote
from agent.store.urls import take as take_address
from parsers.sentences import joined, message_of, tr

if TYPE_CHECKING:
    from agent.repositories.opening import RepoPlace
    from agent.repositories.repository import Repository
    from agent.repositories.sources import RepositorySources
    from rules.model.repository import Via, Way


_OPTIONS: Final = ("stanza", "server", "repo", "via")
_CONFIGS: Final = {
    "pgbackrest": ("pgBackRest", tr("/etc/pgbackrest/pgbackrest.conf and conf.d")),
    "barman": ("Barman", tr("/etc/barman.conf and barman.d")),
    "walg": ("WAL-G", tr("~/.walg.json, and the environment")),
}


def add_options(group: argparse._ArgumentGroup) -> None:
    """Which repositories, and which restore from them."""
    add_sources(group)
    group.add_argument(
        "--via",
        choices=("tool", "restore_command"),
        help="which restore to predict: the tool's own (default), with its choice of backup and its"
        " defaults, or one by a restore_command that only brings what is there",
    )


def add_sources(group: argparse._ArgumentGroup) -> None:
    """--repository, --pgbackrest, --barman, --walg, --stanza, --server, --repo."""
    group.add_argument(
        "--repository",
        action="append",
        default=[],
        metavar="URL",
        dest="repositories",
        help="a repository of pgBackRest, Barman, barman-cloud or WAL-G: its root, or the folder of"
        " a stanza or server; several are repo1, repo2, … in this order. Passphrases come from the"
        " tool's own variables, as PGBACKREST_REPO1_CIPHER_PASS",
    )
    for tool, (name, files) in _CONFIGS.items():
        group.add_argument(
            f"--{tool}",
            nargs="?",
            const="",
            metavar="CONFIG",
            help=tr(
                "the repositories that {name}'s configuration has (default: {files}), with their"
                " keys; what its variables say goes before it",
                name=name,
                files=files,
            ),
        )
    group.add_argument("--stanza", metavar="NAME", help="which stanza, where there are several")
    group.add_argument("--server", metavar="NAME", help="which server, where there are several")
    group.add_argument(
        "--repo",
        type=int,
        metavar="N",
        help="use this repository alone; --backup LABEL names a backup in it",
    )


def way_of(arguments: argparse.Namespace) -> Way:
    """Which restore is meant."""
    from rules.model.repository import Way

    return Way(via=_via(arguments), timeline_given=arguments.timeline is not None)


def default_action(arguments: argparse.Namespace, target_type: str) -> str:
    """PostgreSQL pauses at a target unless it is told not to, and the tools leave it at that."""
    by_tool = arguments.repositories and _via(arguments) == "tool"
    return "pause" if by_tool and target_type != "none" else "promote"


def _via(arguments: argparse.Namespace) -> Via:
    configured: Via = arguments.context.way.via if arguments.context else "tool"
    return arguments.via or configured


def take(arguments: argparse.Namespace) -> None:
    """Tell labels from paths, and addresses from what cannot be one. Raises UsageError.

    `repositories` is then a list of `RepoPlace`.
    """
    places, arguments.label = _places(arguments), None
    if not places:
        _refuse(arguments, _OPTIONS, tr("is for --repository URL: name one"))
    wanted: int | None = getattr(arguments, "repo", None)
    numbers = [place.number for place in places]
    if wanted is not None and wanted not in numbers:
        there = ", ".join(map(str, numbers))
        raise UsageError(
            tr("--repo {wanted}: the repositories there are: {there}", wanted=wanted, there=there)
        )
    arguments.repositories = [each for each in places if wanted in (None, each.number)]
    if not places:
        return
    labels = [name for name in arguments.backups if "/" not in name and not os.path.exists(name)]  # noqa: PTH110
    if len(labels) > 1:
        raise UsageError(
            tr("--backup {label}: one backup of a repository can be named", label=labels[1])
        )
    if labels:
        arguments.label = labels[0]
        arguments.backups = [name for name in arguments.backups if name != labels[0]]


def _places(arguments: argparse.Namespace) -> list[RepoPlace]:
    """Of the repositories that were typed, or else configured."""
    urls = [_address(url) for url in getattr(arguments, "repositories", ())]
    tools = [tool for tool in _CONFIGS if getattr(arguments, tool, None) is not None]
    if len(tools) + bool(urls) > 1:
        named = [*(["--repository"] if urls else []), *(f"--{tool}" for tool in tools)]
        raise UsageError(tr("{options}: give one", options=joined(tr(" and "), named)))
    if not urls and not tools:
        if not arguments.configured:
            return []
        from agent.config.repositories import places_of

        _refuse(arguments, ("stanza", "server"), tr("is in the configuration"))
        return places_of(arguments.configured)
    if arguments.stanza is not None and arguments.server is not None:
        raise UsageError(tr("--stanza is pgBackRest's word, --server Barman's: give one of them"))
    return _configured(arguments, tools[0]) if tools else _named(arguments, urls)


def _refuse(arguments: argparse.Namespace, options: Sequence[str], why: str) -> None:
    for option in options:
        if getattr(arguments, option, None) is not None:
            raise UsageError(tr("{option} {why}", option=f"--{option}", why=why))


def _named(arguments: argparse.Namespace, urls: list[str]) -> list[RepoPlace]:
    from agent.repositories.opening import RepoPlace
    from agent.repositories.secrets import passphrase_of

    name = arguments.stanza or arguments.server
    return [
        RepoPlace(url=url, name=name, number=number, passphrase=passphrase_of(number))
        for number, url in enumerate(urls, start=1)
    ]


def _configured(arguments: argparse.Namespace, tool: str) -> list[RepoPlace]:
    from agent.repositories import configured

    config: str | None = getattr(arguments, tool) or None
    wrong = {"pgbackrest": "server", "barman": "stanza"}
    others = ("stanza", "server") if tool == "walg" else (wrong[tool],)
    _refuse(arguments, others, tr("is not for --{tool}", tool=tool))
    if tool == "pgbackrest":
        return configured.pgbackrest_places(config, arguments.stanza)
    if tool == "barman":
        return configured.barman_places(config, arguments.server)
    return configured.walg_places(config)


def open_repositories(arguments: argparse.Namespace) -> RepositorySources:
    """Open those that were named. Raises UsageError for a name that is in none, NotRead."""
    from agent.repositories.repository import NoSuchName
    from agent.repositories.sources import RepositorySources

    try:
        opened = [_open(place, arguments.label) for place in arguments.repositories]
    except NoSuchName as error:
        raise UsageError(message_of(error)) from None
    label: str | None = arguments.label
    if label is not None and not any(label in each.labels() for each in opened):
        there = ", ".join(name for each in opened for name in each.labels()) or tr("none")
        raise UsageError(
            tr(
                "--backup {label}: no such backup in the repository: it has {there}",
                label=label,
                there=there,
            )
        )
    return RepositorySources(tuple(opened), label)


def _open(place: RepoPlace, label: str | None) -> Repository:
    from agent.repositories.opening import open_repository
    from agent.repositories.repository import NoSuchName, NotRead

    try:
        return open_repository(place, label)
    except NoSuchName:
        raise
    except NotRead:
        from agent.inputs.misplaced import in_place_of_repository, is_empty

        if said := in_place_of_repository(place.url):
            raise UsageError(tr("--repository {said}", said=said)) from None
        if is_empty(place.url):
            raise NotRead(
                tr("--repository {url} is empty: is it mounted?", url=place.url)
            ) from None
        raise


def _address(url: str) -> str:
    path = url.removeprefix("file://")
    if not path:
        raise UsageError(tr("a --repository is empty: name it"))
    if is_remote(path):
        try:
            return take_address(path)
        except ValueError as error:
            raise UsageError(tr("--repository {error}", error=error)) from None
    if not os.path.lexists(path):
        if meant := read_here_as(path):
            raise UsageError(tr("--repository: write the address as {meant}", meant=meant))
        if "://" in path:
            scheme = path.partition("://")[0]
            raise UsageError(
                tr(
                    "--repository: {scheme}:// is not read: name a path, s3://, gs://, "
                    "az:// or sftp://",
                    scheme=scheme,
                )
            )
    return os.path.normpath(path)
