"""Repositories as fetch-wal is told of them: by words of its command line, in whatever process."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from agent.archive.fetch import StoredAt
from agent.errors import UsageError
from agent.repositories.opening import RepoPlace, open_repository
from agent.repositories.repository import Repository
from agent.store.urls import is_remote, take, whole
from parsers.sentences import tr

TOOLS: Final = ("--pgbackrest", "--barman", "--walg")
_FILES: Final = (*TOOLS, "--config")


class Repositories:
    """Those that some words name, opened when a file is looked for. Raises CannotCheck."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        self._opened: list[Repository] | None = None

    def find_wal(self, name: str) -> list[StoredAt]:
        """Where files of WAL of this plain name are, or may be."""
        if self._opened is None:
            self._opened = [open_repository(place, None) for place in _places(self._words)]
        return [file for repository in self._opened for file in repository.find_wal(name)]


def anywhere(words: Sequence[str]) -> list[str]:
    """The same words for a process in another directory."""
    options = words[::2]
    return [
        word
        for option, value in zip(options, words[1::2], strict=True)
        for word in (option, _absolute(option, value))
    ]


def _absolute(option: str, value: str) -> str:
    if option == "--repository" and is_remote(value):
        return whole(take(value))
    return os.path.abspath(value) if option in (*_FILES, "--repository") else value  # noqa: PTH100


def _places(words: Sequence[str]) -> list[RepoPlace]:
    """Raises UsageError."""
    pairs = list(zip(words[::2], words[1::2], strict=True))
    urls = [value for option, value in pairs if option == "--repository"]
    options = dict(pairs)
    places = _named(options, urls)
    if (text := options.get("--repo")) is not None:
        chosen = [place for place in places if str(place.number) == text]
        if not chosen:
            there = ", ".join(str(place.number) for place in places)
            raise UsageError(
                tr("--repo {text}: the repositories there are: {there}", text=text, there=there)
            )
        return chosen
    return places


def _named(options: Mapping[str, str], urls: Sequence[str]) -> list[RepoPlace]:
    from agent.repositories import configured
    from agent.repositories.secrets import passphrase_of

    tools = [option for option in TOOLS if option in options]
    if len(tools) + bool(urls) > 1:
        named = ", ".join(tools)
        raise UsageError(
            tr("{named}: name a tool's configuration, or each --repository", named=named)
        )
    stanza, server = options.get("--stanza"), options.get("--server")
    if "--pgbackrest" in options:
        return configured.pgbackrest_places(options["--pgbackrest"], stanza)
    if "--barman" in options:
        return configured.barman_places(options["--barman"], server)
    if "--walg" in options:
        return configured.walg_places(options["--walg"])
    if not urls:
        return _of_cluster(Path(options["--config"]), options["--cluster"])
    return [
        RepoPlace(url=_address(url), name=stanza or server, number=at, passphrase=passphrase_of(at))
        for at, url in enumerate(urls, start=1)
    ]


def _of_cluster(path: Path, name: str) -> list[RepoPlace]:
    """What the agent's configuration has of a cluster, or of a stanza that a fleet expands to."""
    from agent.config.file import ConfigError, load_config
    from agent.config.fleet import with_fleets
    from agent.config.repositories import places_of

    try:
        clusters = {each.name: each for each in with_fleets(load_config(path)).clusters}
    except ConfigError as error:
        raise UsageError(" ".join(str(error).split())) from None
    if name not in clusters:
        raise UsageError(
            tr(
                "{path}: which cluster? --cluster NAME, one of {clusters}",
                path=path,
                clusters=", ".join(clusters),
            )
        )
    return places_of(clusters[name].repositories)


def _address(url: str) -> str:
    if not is_remote(url):
        return url
    try:
        return take(url)
    except ValueError as error:
        raise UsageError(tr("--repository {error}", error=error)) from None
