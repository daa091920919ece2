"""Choosing among all that happened on a path, where something is asked of it: in columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field
from typing import Final

import numpy as np
import numpy.typing as npt

from parsers.values import dataclass
from parsers.wal.facts import Event, Facts, Transactions
from rules.events.transactions import PathTransactions
from rules.events.wanted import Place, WantedEvents, is_wanted, time_near


@dataclass(slots=True)
class Candidates:
    """Columns of what may be wanted, by chapter: of each its transactions, then its events."""

    times: list[npt.NDArray[np.int64]] = field(default_factory=list)
    lsns: list[npt.NDArray[np.int64]] = field(default_factory=list)
    places: list[tuple[int, Facts, npt.NDArray[np.intp], Event | None]] = field(
        default_factory=list
    )

    def add(
        self, chapter: int, facts: Facts, rows: npt.NDArray[np.intp], event: Event | None = None
    ) -> None:
        if event is not None:
            at = getattr(event, "time_us", None) or time_near(facts, event.lsn) or 0
            self.times.append(np.array([at], np.int64))
            self.lsns.append(np.array([event.lsn], np.int64))
        else:
            self.times.append(_column(facts.transactions.times_us)[rows])
            self.lsns.append(_column(facts.transactions.lsns)[rows])
        self.places.append((chapter, facts, rows, event))

    def __iter__(self) -> Iterator[Place]:
        for chapter, facts, rows, event in self.places:
            for row in rows.tolist():
                yield chapter, facts, row, event

    def chosen(self, wanted: WantedEvents) -> Iterator[Place]:
        """Those that the limit leaves."""
        times = np.concatenate([_NONE, *self.times])
        in_order = np.concatenate([_NONE, *self.lsns]).argsort(kind="stable")
        chosen = set(in_order[choose(times[in_order], wanted)].tolist())
        return (each for index, each in enumerate(self) if index in chosen)

    @property
    def total(self) -> int:
        return sum(map(len, self.times))


def find_candidates(story: PathTransactions, wanted: WantedEvents) -> Candidates:
    """All that may be meant."""
    candidates = Candidates()
    for number, chapter in enumerate(story.chapters):
        for facts in (chapter.crossing, chapter.inside):
            rows = _wanted_rows(facts, story, wanted)
            if len(rows):
                candidates.add(number, facts, rows)
            for event in facts.events:
                if is_wanted(event, facts, wanted):
                    candidates.add(number, facts, _EVENT, event)
    return candidates


_EVENT: Final = np.array([-1])
_NONE: Final = np.empty(0, np.int64)


def _wanted_rows(
    facts: Facts, story: PathTransactions, wanted: WantedEvents
) -> npt.NDArray[np.intp]:
    transactions = facts.transactions
    if not len(transactions):
        return np.empty(0, np.intp)
    mask = _in_period(_column(transactions.times_us), wanted)
    if wanted.xid is not None:
        named = _column(transactions.xids) == wanted.xid
        for row, details in transactions.details.items():
            named[row] |= wanted.xid in details.subxids
        mask &= named
    if wanted.takes_away:
        mask &= _taking_away(transactions, story)
    return np.flatnonzero(mask)


def _taking_away(transactions: Transactions, story: PathTransactions) -> npt.NDArray[np.bool_]:
    """The commits that may have dropped or emptied something."""
    mask = np.zeros(len(transactions), np.bool_)
    emptied = story.emptied.keys()
    for row, details in transactions.details.items():
        mask[row] = bool(details.relations) or not emptied.isdisjoint(details.subxids)
    mask |= np.isin(_column(transactions.xids), [*emptied, *story.databases])
    mask |= np.isin(_column(transactions.lsns), list(story.touched))
    return mask & np.isin(_column(transactions.kinds), (0, 2))


def _in_period(times: npt.NDArray[np.int64], wanted: WantedEvents) -> npt.NDArray[np.bool_]:
    mask = np.ones(len(times), np.bool_)
    if wanted.from_us is not None:
        mask &= times >= wanted.from_us
    if wanted.to_us is not None:
        mask &= times <= wanted.to_us
    return mask


def choose(times_us: Sequence[int] | npt.NDArray[np.int64], wanted: WantedEvents) -> list[int]:
    """Which of the candidates, in LSN order, are kept."""
    everything = range(len(times_us))
    if len(everything) <= wanted.limit:
        return list(everything)
    if wanted.around_us is not None:
        apart = np.abs(np.asarray(times_us, np.int64) - wanted.around_us)
        nearest: list[int] = np.argsort(apart, kind="stable")[: wanted.limit].tolist()
        return nearest
    if wanted.from_us is not None:
        return list(everything[: wanted.limit])
    return list(everything[-wanted.limit :])


def _column(packed: object) -> npt.NDArray[np.int64]:
    """An array.array as a column."""
    return np.array(packed, copy=False)
