"""The evidence that the campaign damages: of which majors it is made, and for which seeds."""

from __future__ import annotations

import contextlib
import functools
import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final, Protocol

from agent.postgres.account import server_account
from tests.faults.barman import KINDS as OF_BARMAN
from tests.faults.barman import BarmanRepositories
from tests.faults.ground import MAJOR, USUAL_MIB, WITH_READERS, WITH_VERIFIER, ground
from tests.faults.kinds import ARCHIVE, ENCRYPTED, KINDS, PLAIN, REPOSITORY, TAR, Kind
from tests.faults.own import KINDS as OF_OUR_OWN
from tests.faults.own import SLOW, OwnFiles, own_files
from tests.faults.packed import KINDS as OF_PACKED
from tests.faults.packed import Packed
from tests.faults.repository import KINDS as OF_REPOSITORIES
from tests.faults.repository import Repositories
from tests.faults.timelines import KINDS as OF_TIMELINES
from tests.faults.timelines import Timelines, timelines
from tests.faults.trial import Campaign, Campaigns, Tried
from tests.fix_backup_tools import barman_at, pgbackrest_at
from tests.fix_postgres import SUPPORTED
from tests.truth.run import place


class Ready(Protocol):
    """Sound evidence, and what judges a fault in a copy of it."""

    def try_one(self, kind: Kind, seed: int) -> Tried: ...


@dataclass(frozen=True, kw_only=True)
class FaultSource:
    """Kinds of faults that are put into the same evidence."""

    kinds: tuple[Kind, ...]
    make: Callable[[contextlib.ExitStack, int], Ready | None]  # None: its tool is not here
    majors: Collection[int]
    step: int = 1  # of every such seed


@functools.cache  # several sources are of it
def _campaigns(stack: contextlib.ExitStack, major: int) -> Campaigns:
    usual, small = (Campaign(stack.enter_context(ground(major, mib))) for mib in (USUAL_MIB, 1))
    for each in (usual, small):
        assert each.sound_end and each.sound.starts  # once, before the processes part
    return Campaigns(usual, small)


def _packed(stack: contextlib.ExitStack, major: int) -> Packed:
    made = Packed(_campaigns(stack, major).small.ground)
    assert made.sources and made.sound
    return made


def _timelines(stack: contextlib.ExitStack, major: int) -> Timelines:
    return stack.enter_context(timelines(major))


def _own(stack: contextlib.ExitStack, major: int) -> OwnFiles:
    return stack.enter_context(own_files())


def _pgbackrest(stack: contextlib.ExitStack, major: int, number: int) -> Repositories | None:
    """Its repository of this number: the second is encrypted, and has bundles."""
    if not shutil.which("pgbackrest"):
        return None
    account = server_account()
    home = stack.enter_context(place(account))
    made = Repositories(stack.enter_context(pgbackrest_at(account)), home, number)
    assert made.label and made.usual
    return made


def _barman(stack: contextlib.ExitStack, major: int) -> BarmanRepositories | None:
    if not shutil.which("barman"):
        return None
    account = server_account()
    home = stack.enter_context(place(account))
    made = BarmanRepositories(stack.enter_context(barman_at(account)), home)
    assert made.label and made.usual
    return made


def _of(kinds: tuple[Kind, ...], *parts: str) -> tuple[Kind, ...]:
    return tuple(kind for kind in kinds if kind.part in parts)


SOURCES: Final = (
    FaultSource(kinds=_of(KINDS, ARCHIVE), make=_campaigns, majors=WITH_READERS),
    FaultSource(kinds=OF_TIMELINES, make=_timelines, majors=SUPPORTED),
    FaultSource(kinds=_of(KINDS, PLAIN, TAR), make=_campaigns, majors=WITH_VERIFIER),
    FaultSource(kinds=OF_PACKED, make=_packed, majors=WITH_VERIFIER),
    FaultSource(kinds=_of(OF_REPOSITORIES, REPOSITORY),
                make=functools.partial(_pgbackrest, number=1), majors=(MAJOR,), step=20),
    FaultSource(kinds=_of(OF_REPOSITORIES, ENCRYPTED),
                make=functools.partial(_pgbackrest, number=2), majors=(MAJOR,), step=20),
    FaultSource(kinds=OF_BARMAN, make=_barman, majors=(MAJOR,), step=20),
    FaultSource(kinds=tuple(each for each in OF_OUR_OWN if each.name not in SLOW),
                make=_own, majors=(MAJOR,)),
    FaultSource(kinds=tuple(each for each in OF_OUR_OWN if each.name in SLOW),
                make=_own, majors=(MAJOR,), step=5),
)  # fmt: skip
