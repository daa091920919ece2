"""Which of what happened a person asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from parsers.values import dataclass
from parsers.wal.facts import (
    ChecksumsChange,
    Event,
    Facts,
    LogicalDecodingChange,
    RestorePoint,
)
from rules.events.path_event import PathEvent

# What a server was switched to, of a record without a time. Others are of no interest here.
_SWITCHES: Final = (ChecksumsChange, LogicalDecodingChange)

Place = tuple[int, Facts, int, Event | None]  # chapter, facts, row of a transaction or -1, event


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedEvents:
    """Which happenings are asked for. What is None asks nothing."""

    from_us: int | None = None
    to_us: int | None = None
    around_us: int | None = None
    xid: int | None = None  # also a subtransaction's
    takes_away: bool = False  # only what dropped or emptied something
    is_named: Callable[[PathEvent], bool] | None = None  # only what did it to this
    limit: int = 50

    @property
    def is_everything(self) -> bool:
        """Whether only the limit leaves something out."""
        return (
            self.xid is None
            and not self.takes_away
            and self.is_named is None
            and (self.from_us is self.to_us is self.around_us is None)
        )

    def holds(self, time_us: int) -> bool:
        """Whether a time is of the period."""
        return (self.from_us is None or time_us >= self.from_us) and (
            self.to_us is None or time_us <= self.to_us
        )


def is_wanted(event: Event, facts: Facts, wanted: WantedEvents) -> bool:
    """Tell whether something of no transaction is asked for."""
    if wanted.takes_away or wanted.xid is not None:
        return False
    if isinstance(event, RestorePoint):
        at: int | None = event.time_us
    elif isinstance(event, _SWITCHES):
        at = time_near(facts, event.lsn)
    else:
        return False
    return at is None or wanted.holds(at)


def time_near(facts: Facts, lsn: int) -> int | None:
    """When a record without a time was written: at the transaction before it, or after it."""
    before, after = facts.transactions.before(lsn), facts.transactions.from_lsn(lsn)
    if before:
        return before[-1].time_us
    return after[0].time_us if after else None
