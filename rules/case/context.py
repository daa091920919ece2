"""What a person set: it holds for every observation of the cluster."""

from __future__ import annotations

from dataclasses import field
from typing import Final, Literal

from parsers.values import dataclass
from parsers.wal.scan import Depth
from rules.model.facts import Objectives
from rules.model.goal import Goal
from rules.model.repository import Way
from rules.model.sequence import AcknowledgedGap
from rules.model.target import Target

# No loss objective is stated: a check on request has no objective to miss.
NO_OBJECTIVES: Final = Objectives(rpo_seconds=float("inf"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A recovery that somebody asks about."""

    target: Target
    goal: Goal  # the target with its value read
    note: str = ""  # what had to be assumed to read it; empty: nothing

    @property
    def needs_zone(self) -> bool:
        """Its time can be compared once the restored server's TimeZone is known."""
        return self.goal.zoneless is not None


END_OF_WAL: Final = Asked(target=Target(), goal=Goal())


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """How closely to look, and what to hold what is found against."""

    depth: Depth | Literal["names"]
    objectives: Objectives = NO_OBJECTIVES
    acknowledged: tuple[AcknowledgedGap, ...] = ()
    asked: Asked | None = None  # None: no target; recovery to the end of WAL is checked
    on_this_machine: bool = False  # the restore would run here: tablespaces' places can be checked
    way: Way = field(default_factory=Way)  # which restore, where a tool has its own
    server_version: int | None = None  # server_version_num of who wrote it, where a person says it
    watches_server: bool = False  # its settings come from the server, not from a backup

    @property
    def recovery(self) -> Asked:
        """The recovery to be predicted."""
        return self.asked or END_OF_WAL
