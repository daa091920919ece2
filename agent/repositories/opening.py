"""From an address and a name to an opened repository."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from agent.repositories.recognise import BARMAN, PGBACKREST, WALG, recognise
from agent.repositories.repository import FoundRepo, NoSuchName, NotRead, Repository
from agent.store.urls import StoreSettings, adopt, check, remembered
from parsers.sentences import tr
from parsers.values import dataclass

if TYPE_CHECKING:
    from parsers.repository.barman_config import BarmanPlaces

_WORDS: Final = {PGBACKREST: tr("stanza"), WALG: ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class RepoPlace:
    """A repository as a person or a configuration names it."""

    url: str
    name: str | None = None  # of the stanza or server; None: the only one there is
    number: int = 1
    passphrase: bytes | None = None
    # What a tool's own configuration says more.
    tool: str | None = None  # whose it is; None: told by what is there
    barman: BarmanPlaces | None = None  # None: the server's folders are where they are by default
    spool: str | None = None  # of pgBackRest's asynchronous archive-push
    settings: StoreSettings | None = None
    environment: Mapping[str, str] | None = None  # that has WAL-G's keys; None: this process's
    elsewhere: str | None = None  # why it cannot be read from here


def open_repository(place: RepoPlace, label: str | None) -> Repository:
    """Raises NotRead. `label` is the backup that is meant, if one is."""
    if place.barman is not None:
        from agent.repositories.barman import Barman

        return Barman(place.url, place.name or "", place.number, places=place.barman)
    found = find_repository(place)
    name = _name_of(found, place.name)
    if found.tool == PGBACKREST:
        from agent.repositories.pgbackrest import PgBackRest

        return PgBackRest(found.root, name, place.passphrase, place.number, label, place.spool)
    if found.tool == WALG:
        from agent.repositories.secrets import sodium_key
        from agent.repositories.walg import Walg

        environment = os.environ if place.environment is None else place.environment
        return Walg(found.root, place.number, sodium_key(environment))
    from agent.repositories.barman import Barman

    return Barman(found.root, name, place.number, in_cloud=found.tool != BARMAN)


def find_repository(place: RepoPlace) -> FoundRepo:
    """Whose it is, and its stanzas or servers. Raises NotRead."""
    if place.elsewhere is not None:
        raise NotRead(place.elsewhere)
    if place.settings is not None:
        check(place.url, place.settings)
        adopt({**remembered(), place.url: place.settings})  # its keys may be others by now
    return recognise(place.url, exactly=place.tool)


def _name_of(found: FoundRepo, name: str | None) -> str:
    what = _WORDS.get(found.tool, tr("server"))
    if not found.names:
        return ""
    there: Sequence[str] = found.names
    if name is None and len(there) > 1:
        raise NoSuchName(
            tr(
                "{root}: which {what}? --{option} NAME, one of {there}",
                root=found.root,
                what=what,
                option=f"{what}",
                there=", ".join(there),
            )
        )
    if name is not None and name not in there:
        raise NoSuchName(
            tr(
                "{root}: no {what} {name!r} there: it has {there}",
                root=found.root,
                what=what,
                name=name,
                there=", ".join(there),
            )
        )
    return name or there[0]
