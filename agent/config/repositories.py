"""Repositories of other tools, as a cluster's configuration names them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from agent.config.place import PlaceConfig, directory_of
from agent.errors import UsageError
from agent.repositories.opening import RepoPlace
from agent.store.credentials import secret_in
from agent.store.patience import StoreError
from agent.store.urls import StoreSettings, is_remote, whole
from parsers.sentences import tr

EVERY: Final = "*"  # stanza or server of the repository: a cluster for each
_TOOLS: Final = ("pgbackrest", "barman", "walg")


class RepositoryConfig(PlaceConfig):
    """A repository by its place, or all that a tool's own configuration names."""

    url: str = ""
    pgbackrest: str | Literal[True] | None = None  # True: the configuration where the tool looks
    barman: str | Literal[True] | None = None
    walg: str | Literal[True] | None = None
    stanza: str | None = Field(default=None, min_length=1)
    server: str | None = Field(default=None, min_length=1)
    passphrase_file: str | None = None
    depth: Literal["label", "files", "checksums"] = "files"

    @field_validator(*_TOOLS)
    @classmethod
    def _is_a_file(cls, path: str | Literal[True] | None) -> str | Literal[True] | None:
        return directory_of(path) if isinstance(path, str) else path

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        named = [name for name in ("url", *_TOOLS) if getattr(self, name)]
        if len(named) != 1:
            raise ValueError(tr("a repository has one of url, pgbackrest, barman, walg"))
        if self.stanza is not None and (self.server is not None or named[0] in ("barman", "walg")):
            raise ValueError(tr("stanza is pgBackRest's word: Barman has servers, WAL-G has none"))
        if self.server is not None and named[0] in ("pgbackrest", "walg"):
            raise ValueError(tr("server is Barman's word: pgBackRest has stanzas, WAL-G has none"))
        if self.passphrase_file is not None and not self.url:
            raise ValueError(
                tr("passphrase_file is for a url: the tool's configuration has its own")
            )
        return self

    @property
    def name(self) -> str | None:
        return self.stanza or self.server

    def named(self, name: str) -> RepositoryConfig:
        """The same for one stanza or server of those that it has."""
        return self.model_copy(update={"stanza" if self.stanza else "server": name})

    @property
    def is_remote(self) -> bool:
        """Whether it is known to lie in an object store."""
        return is_remote(self.url)


def places_of(configured: Sequence[RepositoryConfig]) -> list[RepoPlace]:
    """Where they lie, numbered from 1. Raises UsageError."""
    found: list[RepoPlace] = []
    for number, each in enumerate(configured, start=1):
        found += _places(each, number)
    return found


def words_of(configured: Sequence[RepositoryConfig]) -> list[str]:
    """The options of `pitr-check` that name the same."""
    words: list[str] = []
    for each in configured:
        words += ["--repository", whole(each.url)] if each.url else []
        for tool in _TOOLS:
            if given := getattr(each, tool):
                words += [f"--{tool}", *(() if given is True else (given,))]
    for option in ("stanza", "server"):
        named = {getattr(each, option) for each in configured} - {None}
        words += [f"--{option}", *named] if len(named) == 1 else []
    return words


def secrets_of(configured: Sequence[RepositoryConfig]) -> dict[str, str]:
    """Passphrases from files of their own, as the environment of `pitr-check` has them."""
    return {
        f"PGBACKREST_REPO{place.number}_CIPHER_PASS": place.passphrase.decode()
        for each in configured
        if each.passphrase_file is not None
        for place in places_of(configured)
        if place.url == each.url and place.passphrase is not None
    }


def _places(each: RepositoryConfig, number: int) -> list[RepoPlace]:
    from agent.repositories import configured
    from agent.repositories.secrets import passphrase_of

    if each.pgbackrest:
        return configured.pgbackrest_places(_file(each.pgbackrest), each.stanza)
    if each.barman:
        return configured.barman_places(_file(each.barman), each.server)
    if each.walg:
        return configured.walg_places(_file(each.walg))
    passphrase = passphrase_of(number)
    if each.passphrase_file is not None:
        try:
            passphrase = secret_in(each.passphrase_file).encode()
        except StoreError as error:
            raise UsageError(tr("passphrase_file: {error}", error=error)) from None
    settings = each.settings if each.settings != StoreSettings() else None
    return [
        RepoPlace(
            url=each.url, name=each.name, number=number, passphrase=passphrase, settings=settings
        )
    ]


def _file(given: str | Literal[True]) -> str | None:
    return None if given is True else given
